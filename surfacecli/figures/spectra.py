"""The spectra of the layers' Hessians on a page or in a column, and where the data sit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from surfacecli.figures.curvature import SpectraPicture, Spectrum, UnitCounts
from surfacecli.figures.eigenvalues import (
    draw_spectrum,
    eigenvalue_style,
    find_range,
    newton_style,
)
from surfacecli.figures.legend import arrange_legend
from surfacecli.figures.lettering import (
    FINE,
    Lines,
    fit_lines,
    foot_lines,
    head_lines,
    room,
    text_width,
    write_lines,
)
from surfacecli.figures.page import MARGIN, open_page
from surfacecli.figures.theme import BLUE, FAINT, INK, LEADING, PAGE, SMALL, TEXT, Sheet, theme
from surfacecli.figures.topview import set_ticks

#: Spectra side by side on a page, and the most of a kind that are drawn.
ABREAST, MOST = 5, 10
#: Inches: beside the panels, between them, a panel, what is above and below one.
LEFT, RIGHT, GAP, HIGH, ABOVE, BELOW = 0.5, 0.28, 0.2, 1.1, 0.48, 0.24
#: Inches: what is left free above a heading, and between it and the bars of units, a bar.
FREE, ROOM, BAR = 0.08, 0.05, 0.19
#: Inches, in a column: the highest figure, the lowest panel, the numbers beside a panel, what is
#: above one, free on its right, and a bar.
TALL, LOW, BESIDE, OVER, EDGE, THIN = 8.0, 0.42, 0.42, 0.33, 0.14, 0.15
DEAD, MIXED, ACTIVE = "#5b5b5b", "#9fc9e3", BLUE


class Part(NamedTuple):
    """A heading and the spectra below it."""

    heading: Lines
    spectra: Sequence[Spectrum]


def draw_spectra(picture: SpectraPicture, sheet: Sheet = PAGE) -> Figure:
    """The spectra over the weights and over the pre-activations, and a bar of units each.

    On a page two blocks of panels, one below the other. In a column a row for each layer, weights
    on the left and pre-activations on the right, as high as `TALL` inches allow; the layers that
    find no room there are named below the figure.
    """
    with theme():
        return _draw_column(picture, sheet) if sheet.narrow else _draw_page(picture, sheet)


def _draw_page(picture: SpectraPicture, sheet: Sheet) -> Figure:
    shown = picture.weights[:MOST]
    layers = min(len(picture.pre_activations), len(shown))
    units = picture.units[:layers]
    rows = -(-len(shown) // ABREAST)
    columns = -(-len(shown) // rows)
    width = sheet.width - 2 * MARGIN
    parts = (
        Part(
            _heading("Hessian over the weights of a layer: eigenvalues, largest first", width),
            shown,
        ),
        Part(
            _heading(
                f"Hessian over its pre-activations, {_points(picture)} together: eigenvalues, "
                "largest first",
                width,
            ),
            picture.pre_activations[:layers],
        ),
    )
    high = [
        FREE + room(heading) + -(-len(spectra) // columns) * (ABOVE + HIGH + BELOW)
        for heading, spectra in parts
    ]
    last = _heading("Where the data sit: the units", width)
    bars = FREE + room(last) + ROOM + BAR * len(units) + BELOW
    figure, below = open_page(
        sheet.width,
        sum(high) + bars,
        head_lines(picture.title, picture.heading, width, sheet.lines),
        foot_lines(picture.provenance, width, _remarks(picture, layers)),
        _entries(picture, WORDS),
        sheet=sheet,
    )
    top = below + sum(high) + bars
    for (heading, spectra), block in zip(parts, high, strict=True):
        write_lines(figure, heading, MARGIN, top - FREE)
        _draw_rows(figure, spectra, columns, top - FREE - room(heading))
        top -= block
    write_lines(figure, last, MARGIN, top - FREE)
    wide = sheet.width - LEFT - RIGHT
    _draw_units(_add_axes(figure, LEFT, below + BELOW, wide, BAR * len(units)), units)
    return figure


def _draw_column(picture: SpectraPicture, sheet: Sheet) -> Figure:
    width = sheet.width - 2 * MARGIN
    head = head_lines(picture.title, picture.heading, width, sheet.lines)
    entries = _entries(picture, SHORT)
    legend = arrange_legend(entries, width, FINE)
    over = _heading(f"Eigenvalues, largest first; {_points(picture)}", width)
    last = _heading("Where the data sit: the units", width)
    layers = len(picture.pre_activations)
    together = list(picture.weights[layers:])
    while True:  # as many layers as there is room for
        remarks = _remarks(picture, layers)
        foot = foot_lines(picture.provenance, width, remarks)
        bars = FREE + room(last) + ROOM + THIN * layers + BELOW
        texts = 2 * MARGIN + room(head) + room(foot) + legend.room
        titles = FREE + room(over) + ROOM + SMALL * LEADING
        count = layers + len(together)
        high = (TALL - texts - bars - titles) / count - OVER - BELOW
        if high >= LOW or layers <= 1:
            break
        layers -= 1
    high = min(HIGH, max(high, LOW))
    body = titles + count * (OVER + high + BELOW) + bars
    figure, below = open_page(sheet.width, body, head, foot, entries, sheet=sheet)
    top = below + body
    write_lines(figure, over, MARGIN, top - FREE)
    top -= FREE + room(over) + ROOM
    half = (sheet.width - MARGIN) / 2
    parts = (
        ("over the weights", [*picture.weights[:layers], *together]),
        ("over the pre-activations", picture.pre_activations[:layers]),
    )
    for number, (words, spectra) in enumerate(parts):
        left = MARGIN + number * half
        write_lines(figure, [(words, SMALL, False)], left, top, grey=True)
        span = find_range(spectra)
        for row, spectrum in enumerate(spectra):
            bottom = top - SMALL * LEADING - row * (OVER + high + BELOW) - OVER - high
            wide = half - BESIDE - EDGE
            axes = _add_axes(figure, left + BESIDE, bottom, wide, high)
            draw_spectrum(axes, spectrum, span, (wide, high), BESIDE)
            _write_title(axes, spectrum, half - 0.04, -BESIDE / wide)
    write_lines(figure, last, MARGIN, below + bars - FREE)
    wide = sheet.width - LEFT - RIGHT
    units = picture.units[:layers]
    _draw_units(_add_axes(figure, LEFT, below + BELOW, wide, THIN * layers), units)
    return figure


def _points(picture: SpectraPicture) -> str:
    return f"{picture.samples:,} data point{'s' * (picture.samples != 1)}"


def _remarks(picture: SpectraPicture, layers: int) -> str:
    """The picture's own, and which layers are left out where only the first ones are drawn."""
    total = len(picture.pre_activations)
    if layers == total:
        return picture.remarks
    left = f"layers {layers + 1} to {total} are" if layers + 1 < total else f"layer {total} is"
    return f"{picture.remarks}; {left} not drawn" if picture.remarks else f"{left} not drawn"


def _title(spectrum: Spectrum, digits: int) -> tuple[str, str, str]:
    """Name, rank and size, trace."""
    words = f"rank {spectrum.rank:,} of" if not spectrum.remark else "size"
    return spectrum.title, f"{words} {spectrum.size:,}", f"trace {spectrum.trace:.{digits}g}"


def _write_title(axes: Axes, spectrum: Spectrum, width: float, left: float) -> None:
    """Two lines above a panel, from `left`, in its own widths, on; the trace in as many digits as
    there is room for."""
    name, rank, _ = _title(spectrum, 4)
    traces = [f"{rank}, {_title(spectrum, digits)[2]}" for digits in (4, 3, 2)]
    second = next((line for line in traces if text_width(line, SMALL, dots=FINE) <= width), rank)
    axes.text(
        left,
        1.0,
        f"{fit_lines(name, width, SMALL, 1)[0]}\n{second}",
        transform=axes.transAxes + ScaledTranslation(0, 0.05, axes.figure.dpi_scale_trans),
        size=SMALL,
        va="bottom",
        linespacing=1.2,
    )


def _heading(words: str, width: float) -> Lines:
    return [(line, TEXT, True) for line in fit_lines(words, width, TEXT, 2, bold=True)]


def _draw_rows(figure: Figure, spectra: Sequence[Spectrum], columns: int, top: float) -> None:
    """Panels side by side on one scale, in as many rows as they need."""
    span = find_range(spectra)
    sheet_width = float(figure.get_size_inches()[0])
    wide = (sheet_width - LEFT - RIGHT - GAP * (columns - 1)) / columns
    for number, spectrum in enumerate(spectra):
        row, column = divmod(number, columns)
        bottom = top - row * (ABOVE + HIGH + BELOW) - ABOVE - HIGH
        axes = _add_axes(figure, LEFT + column * (wide + GAP), bottom, wide, HIGH)
        draw_spectrum(axes, spectrum, span, (wide, HIGH))
        text = "\n".join(fit_lines(line, wide + GAP, SMALL, 1)[0] for line in _title(spectrum, 5))
        axes.set_title(text, size=SMALL, pad=4, loc="left", linespacing=1.25)
        if column:
            axes.set_yticklabels([])


def _add_axes(figure: Figure, left: float, bottom: float, wide: float, high: float) -> Axes:
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, wide / width, high / height))


def _draw_units(axes: Axes, units: Sequence[UnitCounts]) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set(xlim=(0.0, 1.0), ylim=(len(units) + 0.5, 0.5))
    axes.tick_params(axis="y", length=0.0)
    numbers = np.arange(1.0, len(units) + 1)
    set_ticks(axes, "y", (numbers, [f"layer {u.layer}" for u in units]))
    set_ticks(axes, "x", (np.linspace(0, 1, 5), ["0", "25%", "50%", "75%", "100%"]))
    for number, counts in zip(numbers, units, strict=True):
        left = 0.0
        for kind, colour, ink in _unit_colours():
            count = getattr(counts, kind)
            if not count:
                continue
            share = count / counts.units
            axes.barh(number, share, 0.72, left, color=colour, linewidth=0)
            if share > 0.04:
                axes.text(
                    left + share / 2,
                    number,
                    f"{count:,}",
                    size=SMALL,
                    color=ink,
                    ha="center",
                    va="center_baseline",
                )
            left += share


def _unit_colours() -> tuple[tuple[str, str, str], ...]:
    """Kind, colour and the colour of its number."""
    return (
        ("active", ACTIVE, "white"),
        ("mixed", MIXED, INK),
        ("dead", DEAD, "white"),
        ("smooth", FAINT, INK),
    )


WORDS = {
    "positive": "positive eigenvalue",
    "negative": "negative eigenvalue, its size",
    "zero": "no curvature",
    "active": "one piece on all data (active)",
    "mixed": "several pieces (mixed)",
    "dead": "slope 0 on all data (dead)",
    "smooth": "no pieces (smooth)",
}
#: The same where there is little room.
SHORT = {
    "positive": "positive",
    "negative": "negative, its size",
    "zero": "no curvature",
    "active": "active, one piece",
    "mixed": "mixed, several pieces",
    "dead": "dead, slope 0",
    "smooth": "smooth, no pieces",
}


def _entries(picture: SpectraPicture, words: dict[str, str]) -> list[tuple[Artist, str]]:
    spectra = [*picture.weights, *picture.pre_activations]
    entries: list[tuple[Artist, str]] = []
    if any(len(s.positive) for s in spectra):
        entries.append((Line2D([], [], **eigenvalue_style(False, 60)), words["positive"]))
    if any(len(s.negative) for s in spectra):
        handle = Line2D([], [], **eigenvalue_style(True, 60))
        entries.append((handle, words["negative"]))
    if any(s.gauss_newton is not None and len(s.gauss_newton) for s in spectra):
        entries.append((Line2D([], [], **newton_style(1)), "Gauss-Newton"))
    if any(s.zeros and not s.remark for s in spectra):
        entries.append((Patch(color=FAINT, alpha=0.55, lw=0), words["zero"]))
    for kind, colour, _ in _unit_colours():
        if any(getattr(u, kind) for u in picture.units):
            entries.append((Patch(color=colour, lw=0), words[kind]))
    return entries
