"""Round numbers along an axis, and how they are written."""

import re

import numpy as np
from matplotlib.ticker import MaxNLocator

from surfacecli.figures.lettering import text_width
from surfacecli.network.transfers import Array

Ticks = tuple[Array, list[str]]

#: Inches between two labels.
GAP = 0.06


def round_ticks(low: float, high: float, intervals: int, *, beyond: bool = False) -> Ticks:
    """Round positions in [low, high] with their labels, about `intervals` steps.

    `beyond` adds the next one on both sides, so that the ticks enclose the range.
    """
    for finer in range(3):  # a scale needs three numbers to be read
        locator = MaxNLocator(nbins=intervals + 2 * finer, steps=[1, 2, 2.5, 5, 10])
        values = np.asarray(locator.tick_values(low, high), dtype=np.float64)
        slack = 1e-9 * (high - low)
        inside = (values >= low - slack) & (values <= high + slack)
        if beyond:
            first = max(int((values <= low + slack).sum()) - 1, 0)
            last = min(int((values < high - slack).sum()), len(values) - 1)
            inside[first : last + 1] = True
        if inside.sum() >= 3:
            break
    values = values[inside]
    return values, write_numbers(values)


def whole_ticks(low: int, high: int) -> Ticks:
    """Ticks at whole numbers from low to high."""
    if low == high:
        return np.array([float(low)]), [f"{low:,}"]
    positions, labels = round_ticks(low, high, 6)
    whole = np.flatnonzero(positions == np.rint(positions))
    return positions[whole], [labels[k] for k in whole]


def log_ticks(low: float, high: float, most: int = 6) -> Ticks:
    """Powers of ten between low and high, both logarithms to base 10; the positions are too."""
    step = max(1, int(np.ceil((high - low) / most)))
    powers = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1, step)
    return powers, [_tidy(f"{10.0**power:g}") for power in powers]


def log_axis_ticks(low: float, high: float, most: int = 6, least: int = 2) -> Ticks:
    """Numbers on a logarithmic axis from 10**low to 10**high: the positions are the numbers.

    Powers of ten; where these are fewer than `least`, 2 and 5 times these; at last round numbers.
    """
    powers, labels = log_ticks(low, high, most)
    if len(powers) >= least:
        return 10.0**powers, labels
    whole = 10.0 ** np.arange(np.floor(low), np.ceil(high) + 1)
    values = np.sort(np.concatenate([whole, 2 * whole, 5 * whole]))
    values = values[(values >= 10.0**low) & (values <= 10.0**high)]
    if len(values) < 2:
        values, _ = round_ticks(10.0**low, 10.0**high, 2)
    values = values[:: -(-len(values) // most)]
    return values, [write_numbers(np.array([value]))[0] for value in values]


def write_numbers(values: Array) -> list[str]:
    """The numbers with just as many digits as tell them apart, and a true minus sign."""
    values = np.where(np.abs(values) < 1e-9 * np.abs(values).max(initial=0.0), 0.0, values)
    for digits in range(3, 16):
        labels = [f"{value:.{digits}g}" for value in values]
        exact = np.abs(np.array(labels, dtype=np.float64) - values)
        if len(values) < 2 or exact.max() <= 1e-3 * np.diff(values).min():
            break
    return [_tidy(label) for label in labels]


def _tidy(number: str) -> str:
    """5e-05 as 5e-5, with a true minus sign."""
    short = re.sub(r"e([+-])0*", lambda found: "e" + found[1].replace("+", ""), number)
    return short.replace("-", "\N{MINUS SIGN}")


def thin_ticks(ticks: Ticks, length: float, size: float) -> Ticks:
    """All ticks, or every second, third ..., so that the labels fit a length in inches."""
    positions, labels = ticks
    widest = widest_label(ticks, size)
    steps = range(1, max(len(labels) - 1, 1))
    fitting = (n for n in steps if len(labels[::n]) * (widest + GAP) <= length)
    step = next(fitting, max(len(labels) - 1, 1))  # at last the two ends
    return positions[::step], labels[::step]


def widest_label(ticks: Ticks, size: float) -> float:
    """The width of the widest label, in inches."""
    return max((text_width(label, size) for label in ticks[1]), default=0.0)
