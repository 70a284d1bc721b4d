"""The eigenvalues of one symmetric matrix on one panel, signs and zeros included."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from surfacecli.figures.curvature import Spectrum
from surfacecli.figures.lettering import fit_lines, text_width
from surfacecli.figures.theme import (
    BLUE,
    FAINT,
    GREY,
    INK,
    LEADING,
    SHAPES,
    SMALL,
    VERMILLION,
)
from surfacecli.figures.ticks import log_axis_ticks, round_ticks
from surfacecli.figures.topview import set_ticks

#: Eigenvalues this far below the largest of a row of panels are drawn at the lower edge.
DECADES = 12.0
#: Up to so many eigenvalues, each of the Gauss-Newton matrix has its mark.
FEW = 100
#: Inches from one line of small text to the next, and from one number of an axis to the next.
LINE, APART = SMALL * LEADING, 0.2
#: Inches between two numbers below a panel.
SPACE = 0.07


def find_range(spectra: Sequence[Spectrum]) -> tuple[float, float]:
    """The eigenvalues' sizes that some panels share, (low, high) as logarithms to base 10."""
    parts = [np.abs(part) for s in spectra for part in (s.positive, s.negative)]
    parts += [np.abs(s.gauss_newton) for s in spectra if s.gauss_newton is not None]
    sizes = np.concatenate([*parts, np.empty(0)])
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return -1.0, 1.0
    high = float(np.log10(sizes.max()))
    low = max(float(np.log10(sizes.min())), high - DECADES)
    pad = max(0.08 * (high - low), 0.15)
    return low - pad, high + pad


def draw_spectrum(
    axes: Axes,
    spectrum: Spectrum,
    span: tuple[float, float],
    size: tuple[float, float],
    beside: float = 0.0,
) -> None:
    """One spectrum on axes of a size (wide, high) in inches, on a scale that `find_range` found.

    Eigenvalues go from the largest down; on the logarithmic axis a negative one is drawn by its
    size, as a triangle that points down. Zeros are a grey band with their number where it fits.
    A remark in place of a drawing may start `beside` inches to the left of the axes.
    """
    (low, high), (wide, tall) = span, size
    if spectrum.remark:
        axes.set_axis_off()
        remark = "\n".join(
            fit_lines(spectrum.remark, wide + beside, SMALL, max(1, int(tall / LINE)))
        )
        axes.text(
            -beside / wide, 1.0, remark, transform=axes.transAxes, size=SMALL, color=GREY, va="top"
        )
        return
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_yscale("log")
    axes.set(xlim=(0.5, spectrum.size + 0.5), ylim=(10.0**low, 10.0**high))
    set_ticks(axes, "y", log_axis_ticks(low, high, max(2, min(5, int(tall / APART)))))
    axes.yaxis.set_minor_locator(NullLocator())
    _number_ticks(axes, spectrum.size, wide)
    floor = 10.0 ** (low + 0.02 * (high - low))
    many = spectrum.size > SHAPES
    positive, negative = len(spectrum.positive), len(spectrum.negative)
    if spectrum.zeros:
        axes.axvspan(
            positive + 0.5, spectrum.size - negative + 0.5, color=FAINT, alpha=0.55, lw=0, zorder=0
        )
        _write_zeros(axes, spectrum, wide, tall)
    if spectrum.gauss_newton is not None and len(spectrum.gauss_newton):
        axes.plot(
            np.arange(1, len(spectrum.gauss_newton) + 1),
            np.maximum(spectrum.gauss_newton, floor),
            zorder=2,
            **newton_style(spectrum.size),
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
                **eigenvalue_style(below, spectrum.size),
            )


def _write_zeros(axes: Axes, spectrum: Spectrum, wide: float, tall: float) -> None:
    """How many are zero: along the band, else up it, else not at all: the title has the rank."""
    words = f"{spectrum.zeros:,} zero"
    length, room = text_width(words, SMALL), wide * spectrum.zeros / spectrum.size
    if length >= 0.95 * room and length > 0.95 * tall:
        return
    axes.text(
        len(spectrum.positive) + 0.5 + spectrum.zeros / 2,
        0.03,
        words,
        transform=axes.get_xaxis_transform(),
        size=SMALL,
        color=INK,
        ha="center",
        va="bottom",
        rotation=0 if length < 0.95 * room else 90,
    )


def _number_ticks(axes: Axes, size: int, wide: float) -> None:
    """The first and the last eigenvalue by number, and round ones between where there is room."""
    positions, _ = round_ticks(0, size, 3)
    inner = [int(p) for p in positions if p == round(p) and 0.15 * size < p < 0.85 * size]

    def reach(place: int) -> tuple[float, float]:
        """Where the label lies on the axis, in inches."""
        width, middle = text_width(f"{place:,}", SMALL), wide * (place - 0.5) / size
        if size >= 1000 and place in (1, size):
            return (middle, middle + width) if place == 1 else (middle - width, middle)
        return middle - width / 2, middle + width / 2

    places, taken = [1], reach(1)[1]
    for place in inner:
        low, high = reach(place)
        if taken + SPACE <= low and high + SPACE <= reach(size)[0]:
            places.append(place)
            taken = high
    places = sorted({*places, size})
    set_ticks(axes, "x", (np.array(places, dtype=np.float64), [f"{place:,}" for place in places]))
    if size >= 1000:  # the ends of two panels side by side must not meet
        ends = axes.get_xticklabels()
        ends[0].set_horizontalalignment("left")
        ends[-1].set_horizontalalignment("right")


def eigenvalue_style(negative: bool, size: int) -> dict[str, Any]:
    """Of the marks of a matrix of a size."""
    return {
        "linestyle": "none",
        "marker": "v" if negative else "o",
        "markersize": float(np.clip(26.0 / np.sqrt(size), 1.2, 3.6)) + negative,
        "markerfacecolor": VERMILLION if negative else BLUE,
        "markeredgewidth": 0.0,
    }


def newton_style(size: int) -> dict[str, Any]:
    """Of the line of the Gauss-Newton matrix."""
    return {"color": INK, "linewidth": 0.7, "marker": "_" if size <= FEW else "", "markersize": 3.0}
