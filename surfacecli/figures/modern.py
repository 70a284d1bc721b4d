"""Style 'modern': the 3-D view of a slice beside the view from above."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from surfacecli.figures.height import measure_heights
from surfacecli.figures.kinks import kink_entries
from surfacecli.figures.lettering import foot_lines, head_lines
from surfacecli.figures.marks import legend_entries
from surfacecli.figures.page import MARGIN, open_page
from surfacecli.figures.picture import Picture
from surfacecli.figures.sets import set_entries
from surfacecli.figures.surface3d import draw_view
from surfacecli.figures.theme import WIDTH, theme
from surfacecli.figures.topview import draw_plane

BODY = 2.9
SPLIT = 3.6


def draw_modern(picture: Picture) -> Figure:
    """One slice; `WIDTH` inches wide and as high as title and legend need."""
    with theme():
        text_room = WIDTH - 2 * MARGIN
        head = head_lines(picture.title, picture.heading, text_room)
        foot = foot_lines(picture.provenance, text_room, remarks=remarks(picture))
        figure, below = open_page(WIDTH, BODY, head, foot, modern_entries([picture]), picture.alarm)
        heights = measure_heights(picture.error)
        draw_view(figure, (MARGIN, below + 0.1, SPLIT - MARGIN, BODY - 0.15), picture, heights)
        draw_plane(figure, (SPLIT, below, WIDTH - SPLIT, BODY), picture, heights)
        return figure


def modern_entries(pictures: Sequence[Picture]) -> list[tuple[Artist, str]]:
    """The legend of views from above: points, sets, kinks."""
    kinks = kink_entries(picture.kinks for picture in pictures)
    return [*legend_entries(pictures), *set_entries(pictures), *kinks]


def remarks(picture: Picture) -> str:
    """What is proven of a picture, and what it leaves out."""
    note = picture.kinks.note if picture.kinks is not None else ""
    return "; ".join(part for part in (picture.evidence, note) if part)
