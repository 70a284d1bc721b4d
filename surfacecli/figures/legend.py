"""The legend below the pictures: in as many columns as fit, long entries on two lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from surfacecli.figures.lettering import ROUGH, text_width
from surfacecli.figures.theme import LEADING, SMALL

Entries = Sequence[tuple[Artist, str]]

#: Lengths as matplotlib counts them, in letters: of a mark, from it to its text, and from there to
#: the next column; inches in a letter.
MARK, GAP, BETWEEN, LETTER = 1.2, 0.5, 1.2, SMALL / 72
#: Long entries take two lines for the sake of two columns no longer than this share of one.
SHORTER = 0.75


@dataclass(frozen=True)
class Legend:
    """Entries whose texts may have several lines, in columns; `rows` lines of the longest one."""

    entries: Entries
    columns: int
    rows: int

    @property
    def room(self) -> float:
        """Its height, in inches."""
        return self.rows * SMALL * LEADING * 1.1


def arrange_legend(entries: Entries, width: float, dots: float = ROUGH) -> Legend:
    """The entries in as many columns as fit a width in inches; `dots` per inch to measure them.

    Where only one column fits, long texts are broken for the sake of two, if that is much shorter.
    """
    columns = len(entries)
    while columns > 1 and _span(entries, columns, dots) > width:
        columns -= 1
    whole = Legend(entries, columns, _rows(entries, columns))
    if columns != 1 or len(entries) < 2:
        return whole
    broken: Entries | None = entries
    while broken is not None and _span(broken, 2, dots) > width:
        broken = _break_widest(broken, dots)
    two = whole if broken is None else Legend(broken, 2, _rows(broken, 2))
    return two if two.rows <= SHORTER * whole.rows else whole


def _break_widest(entries: Entries, dots: float) -> Entries | None:
    """The entries with the widest text on two lines; none where it has two, or is one word."""
    widest = max(range(len(entries)), key=lambda k: _width(entries[k][1], dots))
    mark, text = entries[widest]
    words = text.split(" ")
    if "\n" in text or len(words) < 2:
        return None
    ways = (" ".join(words[:k]) + "\n" + " ".join(words[k:]) for k in range(1, len(words)))
    best = min(ways, key=lambda way: _width(way, dots))
    return [*entries[:widest], (mark, best), *entries[widest + 1 :]]


def _width(text: str, dots: float) -> float:
    """The width of the longest line of a text, in inches."""
    return max(text_width(line, SMALL, dots=dots) for line in text.split("\n"))


def _span(entries: Entries, columns: int, dots: float) -> float:
    """The width of the legend in inches."""
    widths = [_width(text, dots) for _, text in entries]
    # Filled column by column, the first ones with one more where it does not come out even.
    texts = sum(float(part.max()) for part in np.array_split(widths, columns))
    return texts + LETTER * (columns * (MARK + GAP) + (columns - 1) * BETWEEN)


def _rows(entries: Entries, columns: int) -> int:
    """The lines of text in the longest column."""
    if not entries:
        return 0
    lines = [1 + text.count("\n") for _, text in entries]
    return max(int(part.sum()) for part in np.array_split(lines, columns))


def draw_legend(figure: Figure, legend: Legend, top: float) -> None:
    """The legend across the figure, its upper edge `top` inches above the figure's lower edge."""
    if legend.entries:
        figure.legend(
            [handle for handle, _ in legend.entries],
            [text for _, text in legend.entries],
            loc="upper center",
            bbox_to_anchor=(0.5, top / figure.get_size_inches()[1]),
            ncols=legend.columns,
            frameon=False,
            borderaxespad=0.0,
            borderpad=0.1,
            handlelength=MARK,
            handletextpad=GAP,
            columnspacing=BETWEEN,
            labelspacing=0.35,
        )
