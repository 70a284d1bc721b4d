"""Style 'modern': the 3-D view of a slice beside the view from above."""

from matplotlib.figure import Figure

from surfacecli.figures.height import measure_heights
from surfacecli.figures.lettering import foot_lines, head_lines, room, write_lines
from surfacecli.figures.marks import draw_legend, legend_entries, legend_room, legend_rows
from surfacecli.figures.picture import Picture
from surfacecli.figures.surface3d import draw_view
from surfacecli.figures.theme import WIDTH, new_figure, theme
from surfacecli.figures.topview import draw_plane

MARGIN = 0.1
BODY = 2.9
SPLIT = 3.6
SAMPLED = "points sampled, not exhaustive"


def draw_modern(picture: Picture) -> Figure:
    """One slice; `WIDTH` inches wide and as high as title and legend need."""
    with theme():
        text_room = WIDTH - 2 * MARGIN
        head = head_lines(picture.title, picture.heading, text_room)
        foot = foot_lines(provenance_line(picture), text_room)
        entries = legend_entries([picture])
        columns, rows = legend_rows(entries, text_room)
        below = MARGIN + room(foot) + legend_room(rows)
        height = below + BODY + room(head) + MARGIN
        figure = new_figure(WIDTH, height)
        write_lines(figure, head, MARGIN, height - MARGIN)
        write_lines(figure, foot, MARGIN, MARGIN / 2 + room(foot), grey=True)
        draw_legend(figure, entries, columns, below)
        heights = measure_heights(picture.error)
        draw_view(figure, (MARGIN, below + 0.1, SPLIT - MARGIN, BODY - 0.15), picture, heights)
        draw_plane(figure, (SPLIT, below, WIDTH - SPLIT, BODY), picture, heights)
        return figure


def provenance_line(picture: Picture) -> str:
    """Where a picture comes from, and whether its points may not be all."""
    return "; ".join(
        part for part in (picture.provenance, SAMPLED if picture.sampled else "") if part
    )
