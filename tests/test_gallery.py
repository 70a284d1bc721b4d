"""The gallery page, read as a browser would read it."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from surfacecli.gallery import SIGNS, Card, build_gallery
from surfacecli.outputs import MARK

#: Elements without an end.
VOID = {"meta", "img", "br"}
EVIL = "</h2><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Elements with their attributes, and the text inside each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.stack: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()
        assert self.stack == [], "elements that never end"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.stack):
            self.texts[tag][-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def card(study: str = "post", slice: str = "E1", **changes: object) -> Card:
    values: dict[str, object] = {
        "study": study,
        "title": f"The title of {study}",
        "slice": slice,
        "kind": "within layer",
        "figure": f"{study}-{slice}.png",
        "record": f"{study}-{slice}.json",
        "verdict": "theorem applies, holds",
        "tone": "good",
        "reason": "all is well",
        "facts": (("local maxima", "1 kinked maximum"), ("lowest point", "E = 1 at (0, 0)")),
    }
    return Card(**(values | changes))  # type: ignore[arg-type]


def test_each_figure_is_shown_and_linked_with_its_verdict() -> None:
    page = Page(build_gallery([card(), card(slice="E2"), card("tanh")]))
    assert [image["src"] for image in page.all("img")] == [
        "post-E1.png",
        "post-E2.png",
        "tanh-E1.png",
    ]
    for image in page.all("img"):
        assert image["loading"] == "lazy"
        alt = image["alt"]
        assert alt is not None
        assert "theorem applies, holds" in alt
    hrefs = {link["href"] for link in page.all("a")}
    for name in ("post-E1", "post-E2", "tanh-E1"):
        assert {f"{name}.png", f"{name}.json"} <= hrefs
    assert [text.split()[:2] for text in page.texts["h3"]] == [
        ["E1", "within"],
        ["E2", "within"],
        ["E1", "within"],
    ]
    for text in page.texts["article"]:
        assert f"{SIGNS['good']} theorem applies, holds all is well." in text
        assert "1 kinked maximum" in text
        assert "E = 1 at (0, 0)" in text


def test_figures_are_grouped_by_study_in_the_order_of_their_first() -> None:
    page = Page(build_gallery([card("b"), card("a"), card("b", "E2")]))
    assert page.texts["h2"] == ["The title of b b", "The title of a a"]
    assert page.texts["code"] == ["b", "a"]
    assert len(page.texts["article"]) == 3
    ids = {section["id"] for section in page.all("section")}
    jumps = [link["href"] for link in page.all("a") if (link["href"] or "").startswith("#")]
    assert {f"#{name}" for name in ids} == set(jumps)
    assert page.texts["nav"] == ["ba"]


def test_the_head_counts_the_verdicts() -> None:
    page = Page(
        build_gallery(
            [card(), card(slice="E2"), card("x", verdict="theorem does not apply", tone="neutral")]
        )
    )
    assert page.texts["header"][0].startswith("Error surfaces3 figures of 2 presets.")
    assert page.texts["li"] == ["✓ 2 × theorem applies, holds", "– 1 × theorem does not apply"]


def test_nothing_from_a_preset_becomes_markup() -> None:
    evil = Card(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, "bad", EVIL, ((EVIL, EVIL),))
    plain = build_gallery([card(tone="bad", facts=(("a", "b"),))], [("where", "what")])
    page, wanted = (Page(text) for text in (build_gallery([evil], [(EVIL, EVIL)]), plain))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in wanted.elements]
    assert [list(a) for _, a in page.elements] == [list(a) for _, a in wanted.elements]
    assert page.texts["dd"] == [EVIL]
    assert page.texts["pre"] == [EVIL]
    assert page.texts["h2"][0] == f"{EVIL} {EVIL}"


def test_a_name_with_odd_letters_links_to_that_file(tmp_path: Path) -> None:
    from urllib.parse import unquote, urljoin, urlsplit

    page = Page(build_gallery([card(figure="a b?c#d%41:é.png", record="javascript:x.json")]))
    base = (tmp_path / "index.html").as_uri()
    targets = [urljoin(base, link["href"] or "") for link in page.all("a")]
    files = {unquote(urlsplit(target).path) for target in targets}
    assert files == {f"{tmp_path}/a b?c#d%41:é.png", f"{tmp_path}/javascript:x.json"}


def test_the_page_needs_no_network_and_no_script() -> None:
    text = build_gallery([card()], [("x", "y")])
    page = Page(text)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    assert "prefers-color-scheme: dark" in text
    assert page.comments[0].strip().startswith(MARK)
    assert text.startswith("<!DOCTYPE html>\n")


@pytest.mark.parametrize(("suffix", "images"), [("png", 1), ("svg", 1), ("pdf", 0)])
def test_pictures_are_embedded_and_pdfs_are_linked(suffix: str, images: int) -> None:
    page = Page(build_gallery([card(figure=f"x.{suffix}")]))
    assert len(page.all("img")) == images
    assert f"x.{suffix}" in {link["href"] for link in page.all("a")}


def test_failures_and_earlier_runs_are_told() -> None:
    page = Page(build_gallery([card(earlier=True), card("b")], [("x-E1", "line 1\nline 2")]))
    assert ["earlier" in text for text in page.texts["h3"]] == [True, False]
    assert page.texts["pre"] == ["line 1\nline 2"]
    assert "Not made" in page.texts["h2"]


def test_an_empty_folder_has_a_page_too() -> None:
    page = Page(build_gallery([]))
    assert page.texts["header"][0].startswith("Error surfaces0 figures of 0 presets.")
    assert page.all("nav") == []
