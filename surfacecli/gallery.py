"""The gallery of a folder of figures: one HTML page that needs no server, network or script."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal
from urllib.parse import quote

from surfacecli import __version__
from surfacecli.formats.mark import MARK

Tone = Literal["good", "bad", "contrast", "neutral"]

#: A sign beside each colour, for those who do not tell the colours apart.
SIGNS = {"good": "✓", "bad": "✗", "contrast": "△", "neutral": "–"}


@dataclass(frozen=True)
class Card:
    """One figure: the study it belongs to, its files (names in the folder), what was found.

    `verdict` is the theorem's in few words, `tone` how to colour it, `facts` are names and values.
    `alarm` is what must not be overlooked besides, if anything.
    `earlier` says that the figure is of an earlier run.
    """

    study: str
    title: str
    slice: str
    kind: str
    figure: str
    record: str
    verdict: str
    tone: Tone
    reason: str
    facts: tuple[tuple[str, str], ...]
    earlier: bool = False
    alarm: str = ""


def build_gallery(cards: Sequence[Card], failures: Sequence[tuple[str, str]] = ()) -> str:
    """The page: `cards` grouped by study in their order, then `failures` (where, message).

    Any text may come from a preset and is escaped.
    """
    studies: dict[str, list[Card]] = {}
    for card in cards:
        studies.setdefault(card.study, []).append(card)
    sections = [_section(number, group) for number, group in enumerate(studies.values(), 1)]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f"<!-- {MARK} {__version__} -->",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            "<title>Error surfaces</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            _header(cards, studies),
            "<main>",
            *sections,
            *([_failed(failures)] if failures else []),
            "</main>",
            f"<footer>surface {escape(__version__)}</footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _header(cards: Sequence[Card], studies: dict[str, list[Card]]) -> str:
    counts: dict[str, tuple[Tone, int]] = {}
    for card in cards:
        counts[card.verdict] = card.tone, counts.get(card.verdict, (card.tone, 0))[1] + 1
    sums = "".join(
        f"<li>{_badge(tone, f'{number} × {words}')}</li>"
        for words, (tone, number) in counts.items()
    )
    links = "".join(
        f'<a href="#s{number}">{escape(study)}</a>' for number, study in enumerate(studies, 1)
    )
    figures = f"{len(cards)} figure{'s' * (len(cards) != 1)}"
    of = f"{len(studies)} preset{'s' * (len(studies) != 1)}"
    return (
        f"<header><h1>Error surfaces</h1><p>{figures} of {of}. The theorem: with piecewise-linear "
        "transfer functions and a convex loss, no slice within one layer or across two has a "
        f'smooth strict maximum.</p><ul class="sums">{sums}</ul>'
        + (f'<nav aria-label="Presets">{links}</nav>' if len(studies) > 1 else "")
        + "</header>"
    )


def _section(number: int, cards: list[Card]) -> str:
    first = cards[0]
    return "\n".join(
        [
            f'<section id="s{number}" aria-labelledby="h{number}">',
            f'<h2 id="h{number}">{escape(first.title)} <code>{escape(first.study)}</code></h2>',
            '<div class="cards">',
            *(_card(card) for card in cards),
            "</div>",
            "</section>",
        ]
    )


def _card(card: Card) -> str:
    href = escape(quote(card.figure))
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in card.facts
    )
    alarm = f"<p>{_badge('bad', card.alarm)}</p>\n" if card.alarm else ""
    earlier = ' <span class="earlier">from an earlier run</span>' if card.earlier else ""
    return (
        "<article>\n"
        f'<a class="picture" href="{href}">{_picture(card, href)}</a>\n'
        f'<div class="text"><h3>{escape(card.slice)} <span class="kind">{escape(card.kind)}</span>'
        f"{earlier}</h3>\n"
        f"<p>{_badge(card.tone, card.verdict)} {escape(card.reason)}.</p>\n{alarm}"
        f"<dl>{facts}</dl>\n"
        f'<p class="files"><a href="{href}">{escape(card.figure)}</a> '
        f'<a href="{escape(quote(card.record))}">{escape(card.record)}</a></p></div>\n'
        "</article>"
    )


def _picture(card: Card, href: str) -> str:
    if card.figure.endswith(".pdf"):  # no browser shows a PDF as an image
        return '<span class="pdf">PDF</span>'
    shown = f"Error surface of {card.title}, slice {card.slice}: {card.verdict}"
    return f'<img src="{href}" alt="{escape(shown)}" loading="lazy">'


def _badge(tone: Tone, words: str) -> str:
    return (
        f'<span class="badge {tone}"><i aria-hidden="true">{SIGNS[tone]}</i> {escape(words)}</span>'
    )


def _failed(failures: Sequence[tuple[str, str]]) -> str:
    items = "".join(
        f"<li><b>{escape(where)}</b><pre>{escape(message)}</pre></li>"
        for where, message in failures
    )
    return f'<section class="failed"><h2>Not made</h2><ul>{items}</ul></section>'


STYLE = """
:root { --page: #f6f7f9; --card: #fff; --ink: #1c2330; --soft: #5b6577; --line: #dfe3ea;
  --link: #2456a6; --good: #11694a; --good-back: #dcf3e8; --bad: #a3142b; --bad-back: #fde2e5;
  --contrast: #7a4b00; --contrast-back: #fdf0d2; --neutral: #4b5565; --neutral-back: #e8ebf0; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12151b; --card: #1b2029; --ink: #e6e9ef; --soft: #9aa5b8; --line: #2c3442;
    --link: #8fb6f5; --good: #7fdcb4; --good-back: #12362a; --bad: #ffa3ae; --bad-back: #481820;
    --contrast: #f3c87a; --contrast-back: #3d2e0f; --neutral: #b4bdcc; --neutral-back: #2a313d; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 100rem; padding: 0 clamp(1rem, 4vw, 3rem);
  background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere; }
header { padding: clamp(1.5rem, 5vw, 3.5rem) 0 1rem; }
h1 { margin: 0; font-size: clamp(1.8rem, 5vw, 2.8rem); line-height: 1.1; letter-spacing: -0.02em; }
header p { max-width: 46rem; margin: .7rem 0; color: var(--soft); }
.sums { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; padding: 0; list-style: none; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; }
a { color: var(--link); text-underline-offset: .15em; text-decoration-thickness: 1px; }
section { margin: 2rem 0 3rem; }
h2 { margin: 0 0 1rem; padding-top: 1rem; border-top: 1px solid var(--line);
  font-size: 1.3rem; line-height: 1.3; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
h2 code { margin-left: .4rem; color: var(--soft); font-size: .85rem; font-weight: 400; }
.cards { display: grid; gap: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
article { display: flex; flex-direction: column; overflow: hidden; max-width: 46rem;
  background: var(--card); border: 1px solid var(--line); border-radius: .8rem;
  box-shadow: 0 1px 3px rgb(0 0 0 / .06); }
.picture { display: block; padding: .6rem; background: #fff; }
.picture img { display: block; width: 100%; height: auto; max-height: 32rem; object-fit: contain;
  aspect-ratio: auto 2 / 1; }
.pdf { display: grid; place-items: center; aspect-ratio: 3 / 1; color: #5b6577; font-size: 1.5rem;
  letter-spacing: .1em; }
.text { padding: 1rem 1.2rem 1.1rem; border-top: 1px solid var(--line); }
h3 { margin: 0; font-size: 1.1rem; }
.kind, .earlier { margin-left: .4rem; color: var(--soft); font-size: .85rem; font-weight: 400; }
.earlier { font-style: italic; }
article p { margin: .6rem 0; }
.badge { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; font-size: .85rem;
  font-weight: 600; }
.badge i { font-style: normal; }
.good { color: var(--good); background: var(--good-back); }
.bad { color: var(--bad); background: var(--bad-back); }
.contrast { color: var(--contrast); background: var(--contrast-back); }
.neutral { color: var(--neutral); background: var(--neutral-back); }
dl { margin: .8rem 0; font-size: .92rem; }
dl div { display: grid; grid-template-columns: 8.5rem 1fr; gap: .8rem; padding: .15rem 0; }
dt { color: var(--soft); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.files { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin-bottom: 0; font-size: .85rem; }
.failed ul { padding: 0; list-style: none; }
.failed li { margin: 0 0 1rem; padding: .8rem 1.2rem; background: var(--bad-back);
  border-radius: .8rem; }
.failed pre { margin: .3rem 0 0; white-space: pre-wrap; font-size: .88rem; }
footer { padding: 1rem 0 3rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .85rem; }
@media (max-width: 30rem) { dl div { grid-template-columns: 1fr; gap: 0; } }
@media print { article { break-inside: avoid; } }
"""
