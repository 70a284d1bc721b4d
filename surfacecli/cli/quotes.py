"""Layer Hessians at stationary points, in few lines: one for each kind of point and layer."""

from collections.abc import Mapping, Sequence

import click

from surfacecli.cli.console import make_table, print_table
from surfacecli.hessians import Quote, Quotes, trace_words
from surfacecli.network.curvature.spectrum import zero_below
from surfacecli.study import Study
from surfacecli.words import count_words


def print_quotes(study: Study, quotes: Mapping[str, Quotes]) -> None:
    """A table of the Hessians by kind of point, and what their traces say of all layers."""
    table = make_table(
        "slice",
        "Hessian at (kinked points have none)",
        ">of layer",
        ">rank",
        ">smallest eigenvalue",
        ">trace",
        ">trace over all layers",
    )
    for name, quoted in quotes.items():
        kinds: dict[str, list[Quote]] = {}
        for quote in quoted.quotes:
            kinds.setdefault(quote.point.describe(), []).append(quote)
        for alike in kinds.values():
            where = count_words(quote.point for quote in alike)
            total = _range([quote.trace for quote in alike])
            for layers in zip(*(quote.layers for quote in alike), strict=True):
                low = min(layers, key=lambda layer: layer.smallest_eigenvalue)
                scale = max(abs(low.smallest_eigenvalue), abs(low.largest_eigenvalue))
                rounding = abs(low.smallest_eigenvalue) <= zero_below(low.size, scale)
                table.add_row(
                    name,
                    where,
                    str(low.layer),
                    f"{_range([layer.rank.high for layer in layers])} of {low.size:,}",
                    f"{0.0 if rounding else low.smallest_eigenvalue:.4g}",
                    _range([layer.trace for layer in layers]),
                    total,
                )
    if table.row_count:
        print_table(table)
    for name, quoted in quotes.items():
        if quoted.left_out:
            points = f"{quoted.left_out} point{'s' * (quoted.left_out != 1)}"
            click.echo(f"{name}: at {points} more the layers are too large to quote.")
        elif not quoted.quotes:
            click.echo(f"{name}: at no stationary point there is a Hessian to quote.")
    click.echo(f"all layers: {trace_words(study.preset.objective)}.")


def _range(values: Sequence[float]) -> str:
    """'3.5', or '3.5 to 7' where they differ."""
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"
