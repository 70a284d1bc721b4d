"""Curvature against depth: one net with its transfer function exchanged, side by side."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from surfacecli.figures.curvature import DepthCurve, DepthPicture
from surfacecli.figures.lettering import fit_lines, foot_lines, head_lines
from surfacecli.figures.page import MARGIN, open_page
from surfacecli.figures.theme import (
    BLUE,
    GREY,
    ORANGE,
    PAGE,
    PURPLE,
    SMALL,
    VERMILLION,
    Sheet,
    theme,
)
from surfacecli.figures.ticks import Ticks, log_axis_ticks, log_ticks, round_ticks, write_numbers
from surfacecli.figures.topview import set_ticks
from surfacecli.network.transfers import Array

#: Inches: left of a panel, its height, what is above and below it.
LEFT, HIGH, ABOVE, BELOW = 0.42, 1.7, 0.44, 0.42
#: Where traces have both signs, those so many decades below the largest are drawn near zero.
SIGNED = 2.0
PANELS = (
    ("slope 0", "pairs of unit, data point"),
    ("rank over pre-activations", "mean over the data points"),
    ("rank over the weights", "share of the layer's size"),
    ("trace over the weights", "of the layer's Hessian"),
)
TRACE = 3
#: Colour, marker and its size of the curves by name, and of any other; the small ones lie on top,
#: so that curves that coincide are all seen.
LOOKS = {
    "relu": (VERMILLION, "o", 3.2),
    "leaky_relu": (BLUE, "s", 6.0),
    "tanh": (ORANGE, "^", 4.6),
}
OTHER = (PURPLE, "D", 2.6)


def draw_depth(picture: DepthPicture, sheet: Sheet = PAGE) -> Figure:
    """Four panels over the layers: slope 0, the two ranks, the trace; one curve for each net."""
    exact = all(curve.exact for curve in picture.curves)
    remarks = "" if exact else "pale bars: ranks that are known by bounds only"
    columns = 2 if sheet.narrow else len(PANELS)
    block = ABOVE + HIGH + BELOW
    with theme():
        width = sheet.width - 2 * MARGIN
        figure, below = open_page(
            sheet.width,
            len(PANELS) // columns * block,
            head_lines(picture.title, picture.heading, width, sheet.lines),
            foot_lines(picture.provenance, width, remarks),
            [(_handle(curve), curve.name) for curve in picture.curves],
            sheet=sheet,
        )
        height = float(figure.get_size_inches()[1])
        step = width / columns
        wide = step - LEFT - 0.06
        for number, (title, what) in enumerate(PANELS):
            row, column = divmod(number, columns)
            left = MARGIN + LEFT + column * step
            up = below + BELOW + (len(PANELS) // columns - 1 - row) * block
            axes = figure.add_axes(
                (left / sheet.width, up / height, wide / sheet.width, HIGH / height)
            )
            axes.spines[["top", "right"]].set_visible(False)
            _number_layers(axes, picture.layers)
            if number == TRACE:
                what = _draw_traces(axes, picture)
            else:
                _draw_shares(axes, picture, number)
            lines = [fit_lines(line, step - 0.05, SMALL, 1)[0] for line in (title, what)]
            axes.text(
                -LEFT / wide,
                1.0 + 0.07 / HIGH,
                "\n".join(lines),
                transform=axes.transAxes,
                size=SMALL,
                va="bottom",
                linespacing=1.25,
            )
        return figure


def _number_layers(axes: Axes, layers: Array) -> None:
    axes.set(xlim=(0.7, len(layers) + 0.3), xlabel="layer")
    shown = layers[:: -(-len(layers) // 8)]
    set_ticks(axes, "x", (shown, [f"{layer:.0f}" for layer in shown]))


def _draw_shares(axes: Axes, picture: DepthPicture, number: int) -> None:
    """Shares and ranks from 0 up; of a rank known by bounds the upper one, a bar to the lower."""
    top = 1.0
    if number == 1:
        top = max(float(curve.rank.max()) for curve in picture.curves) or 1.0
    axes.set_ylim(-0.04 * top, 1.06 * top)
    percent = (np.linspace(0, 1, 5), ["0", "25%", "50%", "75%", "100%"])
    set_ticks(axes, "y", round_ticks(0.0, top, 4) if number == 1 else percent)
    for curve in picture.curves:
        if number == 0:
            _plot(axes, picture.layers, curve.flat, curve)
            continue
        low, high = (curve.rank if number == 1 else curve.share).T
        open_ = low < high
        if open_.any():
            axes.vlines(
                picture.layers[open_],
                low[open_],
                high[open_],
                color=_look(curve)[0],
                lw=2.5,
                alpha=0.35,
                zorder=2,
            )
        _plot(axes, picture.layers, high, curve)


def _draw_traces(axes: Axes, picture: DepthPicture) -> str:
    """On a logarithmic axis, or one that is linear around 0 where not all are positive; which."""
    traces = np.concatenate([curve.trace for curve in picture.curves])
    sizes = np.abs(traces[traces != 0])
    high = float(np.log10(sizes.max())) if sizes.size else 0.0
    low = float(np.log10(sizes.min())) if sizes.size else 0.0
    for curve in picture.curves:
        _plot(axes, picture.layers, curve.trace, curve)
    if traces.min() > 0:
        pad = max(0.08 * (high - low), 0.1)
        axes.set_yscale("log")
        axes.set_ylim(10.0 ** (low - pad), 10.0 ** (high + pad))
        ticks = log_axis_ticks(low - pad, high + pad, 9, 3)
        words = "logarithmic axis"
    else:
        start = max(low, high - SIGNED)
        axes.set_yscale("symlog", linthresh=10.0**start)
        ticks = _signed_ticks(traces, start, high)
        axes.set_ylim(-(10.0 ** (high + 0.15)) if traces.min() < 0 else 0.0, 10.0 ** (high + 0.15))
        axes.axhline(0.0, color=GREY, lw=0.6, zorder=1)
        (bound,) = write_numbers(np.array([float(f"{10.0**start:.2g}")]))
        words = f"linear to {bound}, then log"
        if traces.min() < 0:
            words = f"linear to \N{PLUS-MINUS SIGN}{bound}, then log"
    set_ticks(axes, "y", ticks)
    axes.yaxis.set_minor_locator(NullLocator())
    return words


def _signed_ticks(traces: Array, low: float, high: float) -> Ticks:
    """0 and powers of ten, on the sides of 0 where there are traces."""
    powers, labels = log_ticks(low, high, 3)
    if not len(powers):
        powers, labels = np.array([high]), write_numbers(np.array([10.0**high]))
    values, texts = [0.0, *(10.0**powers)], ["0", *labels]
    if traces.min() < 0:
        values += [-value for value in values[1:]]
        texts += [f"\N{MINUS SIGN}{text}" for text in labels]
    return np.array(values), texts


def _look(curve: DepthCurve) -> tuple[str, str, float]:
    return LOOKS.get(curve.name, OTHER)


def _plot(axes: Axes, layers: Array, values: Array, curve: DepthCurve) -> None:
    (line,) = axes.plot(layers, values)
    line.update_from(_handle(curve))
    line.set(zorder=4.0 - 0.1 * _look(curve)[2], clip_on=False)
    line.set_transform(axes.transData)


def _handle(curve: DepthCurve) -> Line2D:
    colour, marker, size = _look(curve)
    return Line2D([], [], color=colour, marker=marker, lw=1.1, ms=size, mew=0.0)
