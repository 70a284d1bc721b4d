"""DRAWS slices on matplotlib figures of its own, never pyplot, and turns figures into bytes."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from surfacecli.figures.cells import FILLS, draw_cells
from surfacecli.figures.modern import draw_modern
from surfacecli.figures.panel import draw_panels, most_slices
from surfacecli.figures.picture import Picture, SectionPicture, make_picture, write_formula
from surfacecli.figures.post import draw_post
from surfacecli.figures.saving import encode_figure, read_provenance
from surfacecli.figures.section import draw_line
from surfacecli.figures.theme import SHEETS, Sheet

__all__ = [
    "FILLS",
    "SIZES",
    "STYLES",
    "Picture",
    "SectionPicture",
    "draw_panel",
    "draw_section",
    "draw_surface",
    "encode_figure",
    "make_picture",
    "most_in_panel",
    "read_provenance",
    "sheet_of",
    "write_formula",
]

STYLES = ("modern", "post", "cells")
#: What a figure is printed on at its own size: a page of two columns, or one of its columns.
SIZES = tuple(SHEETS)


def draw_surface(
    picture: Picture, style: str = "modern", fill: str = "error", size: str = "page"
) -> Figure:
    """One slice in a style: 'modern', 'post' for the look of the originals, or 'cells'.

    `fill` is what fills the cells: 'error', 'rank' of the Hessian, or 'active' units; `size` is
    'page' or 'column'. Raises `ValueError` for another style, filling or size, and for 'cells' of
    a picture without any.
    """
    _check(style)
    sheet = sheet_of(size)
    if style == "cells":
        return draw_cells(picture, fill, sheet)
    return draw_post(picture, sheet) if style == "post" else draw_modern(picture, sheet)


def draw_panel(pictures: Sequence[Picture], style: str = "modern", size: str = "page") -> Figure:
    """Several slices in one figure, as many as `most_in_panel` of its size.

    Style 'cells' draws one slice at a time.
    """
    _check(style)
    if style == "cells":
        raise ValueError("style cells draws one slice at a time; choose modern or post for a panel")
    return draw_panels(pictures, style, sheet_of(size))


def draw_section(picture: SectionPicture, size: str = "page") -> Figure:
    """E along a line of a slice, with its kinks."""
    return draw_line(picture, sheet_of(size))


def most_in_panel(size: str) -> int:
    """How many slices a panel of a size holds."""
    return most_slices(sheet_of(size))


def sheet_of(size: str) -> Sheet:
    """What a figure of a size is drawn on."""
    if size not in SHEETS:
        raise ValueError(f"{size!r} is not a size of figures; choose {' or '.join(SIZES)}")
    return SHEETS[size]


def _check(style: str) -> None:
    if style not in STYLES:
        raise ValueError(f"{style!r} is not a style of figures; choose {', '.join(STYLES)}")
