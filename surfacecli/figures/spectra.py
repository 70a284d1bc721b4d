"""The eigenvalues of the layers' Hessians, signs and zeros included, and where the data sit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from surfacecli.figures.curvature import SpectraPicture, Spectrum, UnitCounts
from surfacecli.figures.lettering import (
    Lines,
    fit_lines,
    foot_lines,
    head_lines,
    room,
    text_width,
    write_lines,
)
from surfacecli.figures.page import MARGIN, open_page
from surfacecli.figures.theme import (
    BLUE,
    FAINT,
    GREY,
    INK,
    PAGE,
    SHAPES,
    SMALL,
    TEXT,
    VERMILLION,
    Sheet,
    theme,
)
from surfacecli.figures.ticks import log_ticks, round_ticks
from surfacecli.figures.topview import set_ticks

#: Spectra side by side on a page and in a column of one, and the most that are drawn.
ABREAST, NARROW, MOST = 5, 2, 10
#: Inches: beside the panels, between them, a panel, what is above and below one.
LEFT, RIGHT, GAP, HIGH, ABOVE, BELOW = 0.5, 0.28, 0.2, 1.1, 0.48, 0.24
#: Inches: what is left free above a heading, and between it and the bars of units, a bar.
FREE, ROOM, BAR = 0.08, 0.05, 0.19
#: Eigenvalues this far below the largest of a row of panels are drawn at the lower edge.
DECADES = 12.0
#: Up to so many eigenvalues, each of the Gauss-Newton matrix has its mark.
FEW = 100
DEAD, MIXED, ACTIVE = "#5b5b5b", "#9fc9e3", BLUE


def draw_spectra(picture: SpectraPicture, sheet: Sheet = PAGE) -> Figure:
    """Rows of panels, over the weights and over the pre-activations, and a bar of units each.

    Eigenvalues go from the largest down; on the logarithmic axis a negative one is drawn by its
    size, as a triangle that points down. Zeros are a grey band with their number.
    """
    shown = picture.weights[:MOST]
    layers = min(len(picture.pre_activations), len(shown))
    units, remarks = picture.units[:layers], picture.remarks
    if layers < len(picture.pre_activations):
        more = f"layers {layers + 1} to {len(picture.pre_activations)} are not drawn"
        remarks = f"{remarks}; {more}" if remarks else more
    points = f"{picture.samples:,} data point{'s' * (picture.samples != 1)}"
    inner = f"Hessian over its pre-activations, {points} together: eigenvalues, largest first"
    parts = (
        ("Hessian over the weights of a layer: eigenvalues, largest first", shown),
        (inner, picture.pre_activations[:layers]),
    )
    rows = -(-len(shown) // (NARROW if sheet.narrow else ABREAST))
    columns = -(-len(shown) // rows)
    width = sheet.width - 2 * MARGIN
    with theme():
        headings = [_heading(words, width) for words, _ in parts]
        high = [
            FREE + room(heading) + -(-len(spectra) // columns) * (ABOVE + HIGH + BELOW)
            for heading, (_, spectra) in zip(headings, parts, strict=True)
        ]
        last = _heading("Where the data sit: the units", width)
        bars = FREE + room(last) + ROOM + BAR * len(units) + BELOW
        figure, below = open_page(
            sheet.width,
            sum(high) + bars,
            head_lines(picture.title, picture.heading, width, sheet.lines),
            foot_lines(picture.provenance, width, sheet.lines, remarks),
            _entries(picture),
            sheet=sheet,
        )
        top = below + sum(high) + bars
        for heading, block, (_, spectra) in zip(headings, high, parts, strict=True):
            write_lines(figure, heading, MARGIN, top - FREE)
            _draw_rows(figure, spectra, columns, top - FREE - room(heading))
            top -= block
        write_lines(figure, last, MARGIN, top - FREE)
        wide = sheet.width - LEFT - RIGHT
        _draw_units(_add_axes(figure, LEFT, below + BELOW, wide, BAR * len(units)), units)
        return figure


def _heading(words: str, width: float) -> Lines:
    return [(line, TEXT, True) for line in fit_lines(words, width, TEXT, 2, bold=True)]


def _draw_rows(figure: Figure, spectra: Sequence[Spectrum], columns: int, top: float) -> None:
    """Panels side by side on one scale, in as many rows as they need."""
    low, high = _range(spectra)
    sheet_width = float(figure.get_size_inches()[0])
    wide = (sheet_width - LEFT - RIGHT - GAP * (columns - 1)) / columns
    for number, spectrum in enumerate(spectra):
        row, column = divmod(number, columns)
        bottom = top - row * (ABOVE + HIGH + BELOW) - ABOVE - HIGH
        axes = _add_axes(figure, LEFT + column * (wide + GAP), bottom, wide, HIGH)
        _draw_spectrum(axes, spectrum, low, high, wide)
        if column:
            axes.set_yticklabels([])


def _add_axes(figure: Figure, left: float, bottom: float, wide: float, high: float) -> Axes:
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, wide / width, high / height))


def _range(spectra: Sequence[Spectrum]) -> tuple[float, float]:
    """The eigenvalues' sizes that the panels of a row share, as logarithms to base 10."""
    parts = [np.abs(part) for s in spectra for part in (s.positive, s.negative)]
    parts += [np.abs(s.gauss_newton) for s in spectra if s.gauss_newton is not None]
    sizes = np.concatenate([*parts, np.empty(0)])
    if not sizes.size:
        return -1.0, 1.0
    high = float(np.log10(sizes.max()))
    low = max(float(np.log10(sizes.min())), high - DECADES)
    pad = max(0.08 * (high - low), 0.15)
    return low - pad, high + pad


def _draw_spectrum(axes: Axes, spectrum: Spectrum, low: float, high: float, wide: float) -> None:
    words = f"rank {spectrum.rank:,} of" if not spectrum.remark else "size"
    lines = [spectrum.title, f"{words} {spectrum.size:,}", f"trace {spectrum.trace:.5g}"]
    text = "\n".join(fit_lines(line, wide + GAP, SMALL, 1)[0] for line in lines)
    axes.set_title(text, size=SMALL, pad=4, loc="left", linespacing=1.25)
    if spectrum.remark:
        axes.set_axis_off()
        remark = "\n".join(fit_lines(spectrum.remark, wide, SMALL, 5))
        axes.text(0.0, 0.9, remark, transform=axes.transAxes, size=SMALL, color=GREY, va="top")
        return
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_yscale("log")
    axes.set(xlim=(0.5, spectrum.size + 0.5), ylim=(10.0**low, 10.0**high))
    powers, labels = log_ticks(low, high, 5)
    set_ticks(axes, "y", (10.0**powers, labels))
    axes.yaxis.set_minor_locator(NullLocator())
    _number_ticks(axes, spectrum.size)
    floor = 10.0 ** (low + 0.02 * (high - low))
    many = spectrum.size > SHAPES
    positive, negative = len(spectrum.positive), len(spectrum.negative)
    if spectrum.zeros:
        words = f"{spectrum.zeros:,} zero"
        axes.axvspan(
            positive + 0.5, spectrum.size - negative + 0.5, color=FAINT, alpha=0.55, lw=0, zorder=0
        )
        axes.text(
            positive + 0.5 + spectrum.zeros / 2,
            0.03,
            words,
            transform=axes.get_xaxis_transform(),
            size=SMALL,
            color=INK,
            ha="center",
            va="bottom",
            rotation=0
            if text_width(words, SMALL) < 0.95 * wide * spectrum.zeros / spectrum.size
            else 90,
        )
    if spectrum.gauss_newton is not None and len(spectrum.gauss_newton):
        axes.plot(
            np.arange(1, len(spectrum.gauss_newton) + 1),
            np.maximum(spectrum.gauss_newton, floor),
            zorder=2,
            **_newton_style(spectrum.size),
        )
    parts = (
        (False, 1, spectrum.positive),
        (True, spectrum.size - negative + 1, -spectrum.negative),
    )
    for below, first, sizes in parts:
        if len(sizes):
            axes.plot(
                np.arange(first, first + len(sizes)),
                np.maximum(sizes, floor),
                zorder=3,
                rasterized=many,
                clip_on=False,
                **_style(below, spectrum.size),
            )


def _number_ticks(axes: Axes, size: int) -> None:
    """The first and the last eigenvalue by number, and round ones between."""
    positions, _ = round_ticks(0, size, 3)
    inner = [int(p) for p in positions if p == round(p) and 0.15 * size < p < 0.85 * size]
    places = sorted({1, *inner, size})
    set_ticks(axes, "x", (np.array(places, dtype=np.float64), [f"{place:,}" for place in places]))
    if size >= 1000:  # the ends of two panels side by side must not meet
        ends = axes.get_xticklabels()
        ends[0].set_horizontalalignment("left")
        ends[-1].set_horizontalalignment("right")


def _style(negative: bool, size: int) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "v" if negative else "o",
        "markersize": float(np.clip(26.0 / np.sqrt(size), 1.2, 3.6)) + negative,
        "markerfacecolor": VERMILLION if negative else BLUE,
        "markeredgewidth": 0.0,
    }


def _newton_style(size: int) -> dict[str, Any]:
    return {"color": INK, "linewidth": 0.7, "marker": "_" if size <= FEW else "", "markersize": 3.0}


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


UNIT_WORDS = {
    "active": "one piece on all data (active)",
    "mixed": "several pieces (mixed)",
    "dead": "slope 0 on all data (dead)",
    "smooth": "no pieces (smooth)",
}


def _entries(picture: SpectraPicture) -> list[tuple[Artist, str]]:
    spectra = [*picture.weights, *picture.pre_activations]
    entries: list[tuple[Artist, str]] = []
    if any(len(s.positive) for s in spectra):
        entries.append((Line2D([], [], **_style(False, 60)), "positive eigenvalue"))
    if any(len(s.negative) for s in spectra):
        handle = Line2D([], [], **_style(True, 60))
        entries.append((handle, "negative eigenvalue, its size"))
    if any(s.gauss_newton is not None and len(s.gauss_newton) for s in spectra):
        entries.append((Line2D([], [], **_newton_style(1)), "Gauss-Newton"))
    if any(s.zeros and not s.remark for s in spectra):
        entries.append((Patch(color=FAINT, alpha=0.55, lw=0), "no curvature"))
    for kind, colour, _ in _unit_colours():
        if any(getattr(u, kind) for u in picture.units):
            entries.append((Patch(color=colour, lw=0), UNIT_WORDS[kind]))
    return entries
