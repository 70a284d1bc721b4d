"""Figures as bytes: provenance comes back from every format, same input, same bytes."""

import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from PIL import Image

from surfacecli.errors import SurfaceError
from surfacecli.figures import Picture, draw_surface, encode_figure, read_provenance
from surfacecli.outputs import MARK, made_by_us

FORMATS = ("png", "svg", "pdf")
PROVENANCE: dict[str, object] = {
    "preset_text": 'title: "a (b) \\ <c> & é"\n# )(\r\n\tx: [1, 2]\n',
    "seeds": {"weights": 3},
    "resolution": [5, 4],
    "scale": 1.5e-300,
    "nothing": None,
}


def small_figure(style: str = "post") -> Figure:
    u, v = np.linspace(-1, 1, 5), np.linspace(0, 1, 4)
    picture = Picture(
        "Ein Bild é", "E1", "within-layer", "W1 = uU + vV", "u", "v", u, v, v[:, None] + u**2
    )
    return draw_surface(picture, style)


@pytest.fixture(scope="module")
def figure() -> Figure:
    return small_figure()


@pytest.mark.parametrize("file_format", FORMATS)
def test_provenance_comes_back(figure: Figure, file_format: str, tmp_path: Path) -> None:
    path = tmp_path / "figure"
    path.write_bytes(encode_figure(figure, file_format, PROVENANCE, "Größe (1) <&>"))
    assert read_provenance(path) == PROVENANCE
    assert made_by_us(path)


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_mark_is_found_beside_long_provenance(
    figure: Figure, file_format: str, tmp_path: Path
) -> None:
    """`outputs` looks at the first and the last 64 KiB only."""
    long: dict[str, object] = {"preset_text": "x: (1)\n" * 60_000}
    path = tmp_path / "figure"
    path.write_bytes(encode_figure(figure, file_format, long, "title " * 50_000))
    assert made_by_us(path)
    assert read_provenance(path) == long


@pytest.mark.parametrize("style", ["modern", "post"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_input_gives_the_same_bytes(
    style: str, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encode_figure(small_figure(style), file_format, PROVENANCE, "title")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    # A user's own settings change nothing, and are left alone.
    with mpl.rc_context({"font.size": 33, "svg.hashsalt": "other", "savefig.bbox": "tight"}):
        second = encode_figure(small_figure(style), file_format, PROVENANCE, "title")
        assert mpl.rcParams["font.size"] == 33
    assert first == second
    assert b"86400" not in first
    assert b"1970" not in first


def test_png_metadata_is_what_other_tools_read(figure: Figure, tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(encode_figure(figure, "png", PROVENANCE, "Title"))
    with Image.open(path) as image:
        assert image.info["Software"] == MARK
        assert image.info["Title"] == "Title"
        assert image.info["Comment"].startswith('{"preset_text": ')
        assert image.size[0] == round(figure.get_size_inches()[0] * 200)


def test_text_stays_text_in_svg() -> None:
    root = ElementTree.fromstring(encode_figure(small_figure("modern"), "svg", {}, "t"))
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"E1: W1 = uU + vV", "Ein Bild é"} <= texts
    # The surface is an image, not thousands of paths.
    assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) >= 1


def test_pdf_fonts_can_be_searched() -> None:
    content = encode_figure(small_figure("modern"), "pdf", {}, "t")
    assert b"/Subtype /Type0" in content or b"/Subtype /TrueType" in content
    assert b"/Subtype /Type3" not in content


def test_pictures_of_3d_are_rasterised_in_vector_formats() -> None:
    figure = small_figure("modern")
    meshes = [c for c in figure.axes[0].collections if isinstance(c, Poly3DCollection)]
    assert [mesh.get_rasterized() for mesh in meshes] == [True]


def test_unknown_format_is_refused(figure: Figure) -> None:
    with pytest.raises(ValueError, match="'gif' is not a format of figures; choose png, svg or"):
        encode_figure(figure, "gif", {}, "t")


def test_numbers_that_json_cannot_hold_are_refused(figure: Figure) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_figure(figure, "png", {"x": float("nan")}, "t")


FOREIGN = {
    "empty": b"",
    "text": b"hello",
    "png without comment": b"\x89PNG\r\n\x1a\n" + bytes(30),
    "cut png": b"\x89PNG\r\n\x1a\n\x00\x00",
    "broken svg": b"<?xml version='1.0'?><svg><a>",
    "svg without description": b"<?xml version='1.0'?><svg></svg>",
    "pdf without subject": b"%PDF-1.4\n%%EOF",
    "pdf with other words": b"%PDF-1.4 /Subject (a poem) %%EOF",
    "pdf with a list": b"%PDF-1.4 /Subject ([1]) %%EOF",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_foreign_files_are_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SurfaceError, match=re.escape(f"{path} holds no provenance; give a PNG")):
        read_provenance(path)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SurfaceError, match="No such file"):
        read_provenance(tmp_path / "none.png")
