"""E along a line of a slice, with its kinks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from surfacecli.figures.height import measure_heights
from surfacecli.figures.lettering import foot_lines, head_lines, room, text_width, write_lines
from surfacecli.figures.picture import SectionPicture
from surfacecli.figures.theme import BLUE, PAGE, SMALL, VERMILLION, Sheet, new_figure, theme
from surfacecli.figures.ticks import round_ticks, write_numbers
from surfacecli.figures.topview import set_ticks

WIDTH, PLOT = 4.6, 2.3
MARGIN, LEFT, RIGHT, BELOW = 0.1, 0.62, 0.25, 0.52
#: Inches between the names of the two ends.
BETWEEN = 0.15
#: More kinks than this are ticks at the bottom: circles would hide the line.
CIRCLES = 60


def draw_line(picture: SectionPicture, sheet: Sheet = PAGE) -> Figure:
    """The line plot of a section, and a legend that says how many kinks there are."""
    section = picture.section
    with theme():
        width = min(WIDTH, sheet.width)
        text_room = width - 2 * MARGIN
        heading = f"{picture.name}: E along a line"
        head = head_lines(picture.title, heading, text_room, sheet.lines)
        foot = foot_lines(picture.provenance, text_room)
        below = MARGIN + room(foot)
        height = below + BELOW + PLOT + 0.26 + room(head) + MARGIN
        figure = new_figure(width, height, sheet)
        write_lines(figure, head, MARGIN, height - MARGIN)
        write_lines(figure, foot, MARGIN, MARGIN / 2 + room(foot), grey=True)
        side = width - LEFT - RIGHT
        axes = figure.add_axes(
            (LEFT / width, (below + BELOW) / height, side / width, PLOT / height)
        )
        axes.spines[["top", "right"]].set_visible(False)
        axes.plot(section.t, section.error, color=BLUE, lw=1.3, solid_joinstyle="miter", label="E")
        heights = measure_heights(section.error, linear=True)
        pad = 0.06 * (heights.high - heights.low)
        low, high = heights.low - pad, heights.high + pad
        axes.set(xlim=(0.0, 1.0), ylim=(low, high), ylabel="E")
        count = len(section.kinks)
        label = f"{count} kink{'s' * (count != 1)}" if section.exact else "kinks not marked"
        if 0 < count <= CIRCLES:
            axes.plot(
                section.kinks,
                section.kink_errors,
                linestyle="none",
                markeredgecolor=VERMILLION,
                marker="o",
                markersize=4.5,
                markerfacecolor="white",
                markeredgewidth=1.0,
                label=label,
            )
        elif count:
            axes.plot(
                section.kinks,
                [0.0] * count,
                linestyle="none",
                marker="|",
                markersize=7,
                markeredgecolor=VERMILLION,
                markeredgewidth=0.5,
                transform=axes.get_xaxis_transform(),
                clip_on=False,
                label=label,
            )
        else:
            axes.plot([], [], linestyle="none", label=label)
        set_ticks(axes, "y", round_ticks(low, high, 5))
        _name_ends(axes, picture, side)
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=2,
            frameon=False,
            borderaxespad=0.2,
            handlelength=1.4,
        )
        return figure


def _name_ends(axes: Axes, picture: SectionPicture, side: float) -> None:
    """Positions along the line, and the coordinates of its ends, short on a short `side`."""
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], labels=["start", "¼", "½", "¾", "end"])
    ends = [
        ", ".join(write_numbers(np.array([x]))[0] for x in point)
        for point in (picture.start, picture.end)
    ]
    names = [f"(u, v) = ({end})" for end in ends]
    if sum(text_width(name, SMALL) for name in names) + BETWEEN > side:
        names = [f"({end})" for end in ends]
    for place, name, across in ((0.0, names[0], "left"), (1.0, names[1], "right")):
        axes.annotate(
            name,
            (place, 0.0),
            (0, -18),
            xycoords="axes fraction",
            textcoords="offset points",
            ha=across,
            va="top",
            size=SMALL,
        )
