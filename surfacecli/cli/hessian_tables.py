"""What `surface hessian` prints: a table of the Hessians, one of the units, and what follows."""

import click

from surfacecli.cli.console import make_table, print_table
from surfacecli.hessian_pictures import node_words, sided_words, where_words
from surfacecli.hessians import FULL, Hessians, theorem_holds
from surfacecli.network.curvature import Spectrum
from surfacecli.network.curvature.spectrum import zero_below

#: What stands for PSD where the Hessian is that of one side of a kink.
ONE_SIDED = "one-sided"


def print_hessians(hessians: Hessians) -> None:
    """What is one-sided, the Hessians, the units, and what follows, in words."""
    if not hessians.smooth:
        click.echo(f"not smooth here: {node_words(hessians)}.")
    if sided := sided_words(hessians):
        click.echo(f"The Hessian is {sided}: on the other side of the node it may differ.")
        click.echo()
    _print_layers(hessians)
    _print_units(hessians)
    _print_answers(hessians)


def _print_layers(hessians: Hessians) -> None:
    preset = hessians.preset
    table = make_table(
        "layer",
        "Hessian over",
        ">size",
        ">rank",
        ">zero curvature",
        ">smallest eigenvalue",
        ">largest",
        ">trace",
        "PSD",
        ">Gauss-Newton off by",
        title=f"{preset.name}: {preset.title}, {where_words(hessians)}",
    )
    for layer, difference in zip(hessians.layers, hessians.differences, strict=True):
        for what, spectrum, sided in (
            ("weights", layer.weights, hessians.one_sided),
            ("pre-activations", layer.pre_activations, hessians.inner_one_sided),
        ):
            least = "" if difference.converged else ">= "
            off = f"{least}{difference.size:.4g}" if spectrum is layer.weights else ""
            number = str(layer.layer) if spectrum is layer.weights else ""
            table.add_row(number, what, *_cells(spectrum, layer.layer in sided), off)
    if hessians.full is not None:
        table.add_row("all", "weights", *_cells(hessians.full, not hessians.smooth), "")
    else:
        blank, psd = [""] * 4, "" if hessians.smooth else ONE_SIDED
        table.add_row(
            "all", "weights", f"{hessians.weights:,}", *blank, f"{hessians.trace:.6g}", psd, ""
        )
    print_table(table)


def _cells(spectrum: Spectrum, one_sided: bool) -> tuple[str, ...]:
    """Size, rank, zero curvature, extreme eigenvalues, trace, PSD in words."""
    low, high = spectrum.smallest_eigenvalue, spectrum.largest_eigenvalue
    zero = zero_below(spectrum.size, max(abs(low), abs(high)))
    least, most = ("", "") if spectrum.converged else ("<= ", ">= ")
    more = "" if spectrum.rank.exact else ">= "
    psd = {True: "yes", False: "no", None: "not known"}[spectrum.psd]
    if one_sided:
        psd = ONE_SIDED
    return (
        f"{spectrum.size:,}",
        str(spectrum.rank),
        f"{more}{spectrum.zero_share:.0%}",
        f"{least}{0.0 if abs(low) <= zero else low:.4g}",
        f"{most}{0.0 if abs(high) <= zero else high:.4g}",
        f"{spectrum.trace:.6g}",
        psd,
    )


def _print_units(hessians: Hessians) -> None:
    table = make_table(
        "layer", "transfer", ">units", ">active", ">mixed", ">dead", ">slope 0", ">on a node"
    )
    for layer, units in zip(hessians.layers, hessians.units, strict=True):
        transfer = hessians.network.transfers[layer.layer - 1]
        pieces = (units.active, units.mixed, units.dead)
        total = f"{sum(pieces) + units.smooth:,}"
        counts = ["-"] * 3 if units.smooth else [f"{count:,}" for count in pieces]
        table.add_row(
            str(layer.layer),
            transfer.name,
            total,
            *counts,
            f"{units.flat:.0%}",
            f"{layer.on_node:,}",
        )
    print_table(table)


def _print_answers(hessians: Hessians) -> None:
    """Why each layer is positive semi-definite or not, and what holds for all of them."""
    groups: dict[str, list[str]] = {}
    for layer in hessians.layers:
        psd = {
            True: "positive semi-definite",
            False: "not positive semi-definite",
            None: "positive semi-definite as far as it is known",
        }[layer.psd]
        must = not layer.bent and layer.convex
        link = ", because" if must or layer.psd is False else " here, though"
        if layer.layer in hessians.one_sided:
            psd = f"one-sided, and on that side {psd}"
        groups.setdefault(f"{psd}{link} {layer.reason}", []).append(str(layer.layer))
    for words, layers in groups.items():
        click.echo(f"layer{'s' * (len(layers) > 1)} {', '.join(layers)}: {words}.")
    side = "" if hessians.smooth else "one-sided, and on that side "
    click.echo(f"all layers: {side}{_all_words(hessians)}.")


def _all_words(hessians: Hessians) -> str:
    """The full Hessian in a sentence: negative eigenvalues beside the trace."""
    trace = f"a trace of {hessians.trace:.6g}, the sum of the layers' traces"
    trace += (
        ", none of which can be negative: no smooth maximum anywhere"
        if theorem_holds(hessians.preset.objective)
        else ", which may be negative"
    )
    if hessians.full is None:
        return f"{hessians.weights:,} weights, eigenvalues are found up to {FULL:,}; {trace}"
    negative = f"{hessians.negative:,} of {hessians.weights:,} eigenvalues are negative"
    if hessians.negative:
        negative += f", the smallest {hessians.full.smallest_eigenvalue:.4g}"
    return f"{negative}, beside {trace}"
