"""DRAWS slices on matplotlib figures of its own, never pyplot, and turns figures into bytes."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from surfacecli.figures.modern import draw_modern
from surfacecli.figures.panel import draw_panels
from surfacecli.figures.picture import Picture, SectionPicture, make_picture, write_formula
from surfacecli.figures.post import draw_post
from surfacecli.figures.saving import encode_figure, read_provenance
from surfacecli.figures.section import draw_line as draw_section

__all__ = [
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

STYLES = {"modern": draw_modern, "post": draw_post}


def draw_surface(picture: Picture, style: str = "modern") -> Figure:
    """One slice in a style: 'modern', or 'post' for the look of the originals."""
    return STYLES[_known(style)](picture)


def draw_panel(pictures: Sequence[Picture], style: str = "modern") -> Figure:
    """Up to nine slices in one figure, three abreast."""
    return draw_panels(pictures, _known(style))


def _known(style: str) -> str:
    if style not in STYLES:
        raise ValueError(f"{style!r} is not a style of figures; choose {' or '.join(STYLES)}")
    return style
