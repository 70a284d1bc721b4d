"""DRAWS slices on matplotlib figures of its own, never pyplot, and turns figures into bytes."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from surfacecli.figures.cells import FILLS, draw_cells
from surfacecli.figures.modern import draw_modern
from surfacecli.figures.panel import draw_panels
from surfacecli.figures.picture import Picture, SectionPicture, make_picture, write_formula
from surfacecli.figures.post import draw_post
from surfacecli.figures.saving import encode_figure, read_provenance
from surfacecli.figures.section import draw_line as draw_section

__all__ = [
    "FILLS",
    "STYLES",
    "Picture",
    "SectionPicture",
    "draw_panel",
    "draw_section",
    "draw_surface",
    "encode_figure",
    "make_picture",
    "read_provenance",
    "write_formula",
]

STYLES = ("modern", "post", "cells")


def draw_surface(picture: Picture, style: str = "modern", fill: str = "error") -> Figure:
    """One slice in a style: 'modern', 'post' for the look of the originals, or 'cells'.

    `fill` is what fills the cells: 'error', 'rank' of the Hessian, or 'active' units. Raises
    `ValueError` for another style or filling, and for 'cells' of a picture without any.
    """
    _check(style)
    if style == "cells":
        return draw_cells(picture, fill)
    return draw_post(picture) if style == "post" else draw_modern(picture)


def draw_panel(pictures: Sequence[Picture], style: str = "modern") -> Figure:
    """Up to nine slices in one figure, three abreast; style 'cells' draws one slice at a time."""
    _check(style)
    if style == "cells":
        raise ValueError("style cells draws one slice at a time; choose modern or post for a panel")
    return draw_panels(pictures, style)


def _check(style: str) -> None:
    if style not in STYLES:
        raise ValueError(f"{style!r} is not a style of figures; choose {', '.join(STYLES)}")
