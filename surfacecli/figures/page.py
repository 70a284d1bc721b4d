"""The page around the pictures: title above, legend and provenance below, all as high as needed."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from surfacecli.figures.box import Rectangle
from surfacecli.figures.legend import arrange_legend, draw_legend
from surfacecli.figures.lettering import (
    FINE,
    ROUGH,
    Lines,
    alarm_lines,
    foot_lines,
    head_lines,
    room,
    write_lines,
)
from surfacecli.figures.picture import Picture
from surfacecli.figures.theme import ALARM, PAGE, Sheet, new_figure

MARGIN = 0.1
#: Height of a single view from above, and how much less than its width it has at most.
VIEW, LESS = 5.6, 0.6


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
    legend = arrange_legend(entries, text_room, FINE if sheet.narrow else ROUGH)
    below = MARGIN + room(foot) + legend.room
    height = below + body + room(head) + room(loud) + MARGIN
    figure = new_figure(width, height, sheet)
    write_lines(figure, loud, MARGIN, height - MARGIN, colour=ALARM)
    write_lines(figure, head, MARGIN, height - MARGIN - room(loud))
    write_lines(figure, foot, MARGIN, MARGIN / 2 + room(foot), grey=True)
    draw_legend(figure, legend, below)
    return figure, below


def open_view(
    picture: Picture,
    shown: str,
    remarks: str,
    entries: Sequence[tuple[Artist, str]],
    sheet: Sheet = PAGE,
) -> tuple[Figure, Rectangle]:
    """A page for one view of a picture from above: the figure, and the place of the view.

    `shown` says what is seen of the slice, `remarks` how it is known.
    """
    text_room = sheet.width - 2 * MARGIN
    head = head_lines(picture.title, f"{picture.heading}; {shown}", text_room, sheet.lines)
    foot = foot_lines(picture.provenance, text_room, remarks)
    body = min(VIEW, sheet.width - LESS)
    figure, below = open_page(sheet.width, body, head, foot, entries, picture.alarm, sheet)
    margin = 0.0 if sheet.narrow else MARGIN
    return figure, (margin, below, sheet.width - 2 * margin, body)
