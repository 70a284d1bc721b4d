"""Style 'modern': the 3-D view of a slice beside the view from above, in a column over it."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from surfacecli.figures.box import Rectangle
from surfacecli.figures.descent import path_entries
from surfacecli.figures.height import measure_heights
from surfacecli.figures.kinks import kink_entries
from surfacecli.figures.lettering import foot_lines, head_lines
from surfacecli.figures.marks import legend_entries
from surfacecli.figures.page import MARGIN, open_page
from surfacecli.figures.picture import Picture
from surfacecli.figures.sets import kinks_in_sight, set_entries
from surfacecli.figures.surface3d import draw_view
from surfacecli.figures.theme import PAGE, Sheet, theme
from surfacecli.figures.topview import draw_plane

BODY = 2.9
SPLIT = 3.6


def draw_modern(picture: Picture, sheet: Sheet = PAGE) -> Figure:
    """One slice; as wide as the sheet and as high as views, title and legend need."""
    with theme():
        text_room = sheet.width - 2 * MARGIN
        head = head_lines(picture.title, picture.heading, text_room, sheet.lines)
        foot = foot_lines(picture.provenance, text_room, remarks(picture))
        entries, body = modern_entries([picture]), BODY * (2 if sheet.narrow else 1)
        figure, below = open_page(sheet.width, body, head, foot, entries, picture.alarm, sheet)
        heights = measure_heights(picture.error)
        view, plane = _places(sheet, below)
        draw_view(figure, view, picture, heights)
        draw_plane(figure, plane, picture, heights)
        return figure


def _places(sheet: Sheet, below: float) -> tuple[Rectangle, Rectangle]:
    """Where the two views stand, the surface first, over the lower edge of the body."""
    if sheet.narrow:
        width = sheet.width
        return (MARGIN, below + BODY + 0.1, width - 2 * MARGIN, BODY - 0.15), (
            0,
            below,
            width,
            BODY,
        )
    view = (MARGIN, below + 0.1, SPLIT - MARGIN, BODY - 0.15)
    return view, (SPLIT, below, sheet.width - SPLIT, BODY)


def modern_entries(pictures: Sequence[Picture]) -> list[tuple[Artist, str]]:
    """The legend of views from above: points, sets, kinks that are seen, paths."""
    kinks = kink_entries(layer for picture in pictures for layer in kinks_in_sight(picture))
    paths = path_entries(pictures)
    return [*legend_entries(pictures), *set_entries(pictures), *kinks, *paths]


def remarks(picture: Picture) -> str:
    """What is proven of a picture, and what it leaves out."""
    note = picture.kinks.note if picture.kinks is not None else ""
    return "; ".join(part for part in (picture.evidence, note) if part)
