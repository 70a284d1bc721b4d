"""The page around the pictures: title above, legend and provenance below, all as high as needed."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from surfacecli.figures.lettering import FINE, ROUGH, Lines, alarm_lines, room, write_lines
from surfacecli.figures.marks import draw_legend, legend_room, legend_rows
from surfacecli.figures.theme import ALARM, PAGE, Sheet, new_figure

MARGIN = 0.1


def open_page(
    width: float,
    body: float,
    head: Lines,
    foot: Lines,
    entries: Sequence[tuple[Artist, str]],
    alarm: str = "",
    sheet: Sheet = PAGE,
) -> tuple[Figure, float]:
    """A figure with its texts and legend, and the lower edge of its body, in inches.

    The body is `body` inches high; `alarm`, where there is one, stands in red above all else.
    """
    text_room = width - 2 * MARGIN
    loud = alarm_lines(alarm, text_room)
    columns, rows = legend_rows(entries, text_room, FINE if sheet.narrow else ROUGH)
    below = MARGIN + room(foot) + legend_room(rows)
    height = below + body + room(head) + room(loud) + MARGIN
    figure = new_figure(width, height, sheet)
    write_lines(figure, loud, MARGIN, height - MARGIN, colour=ALARM)
    write_lines(figure, head, MARGIN, height - MARGIN - room(loud))
    write_lines(figure, foot, MARGIN, MARGIN / 2 + room(foot), grey=True)
    draw_legend(figure, entries, columns, below)
    return figure, below
