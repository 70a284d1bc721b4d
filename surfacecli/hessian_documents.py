"""Curvature as plain documents: what `hessian --json` prints, and what check-maxima quotes."""

from collections.abc import Iterable, Sequence

from surfacecli.documents import Document, number
from surfacecli.geometry.slices import Slice
from surfacecli.hessians import (
    FULL,
    Exchanged,
    Hessians,
    Quotes,
    signed_parts,
    theorem_holds,
    trace_words,
)
from surfacecli.network.curvature import LayerCurvature, Spectrum
from surfacecli.network.units import Units


def spectrum_document(spectrum: Spectrum) -> Document:
    """One symmetric matrix; `rank` is null where only `rank_bounds` are known.

    Where not `converged`, the extreme eigenvalues are bounds: the smallest is this or less.
    """
    rank = spectrum.rank
    return {
        "size": spectrum.size,
        "rank": rank.low if rank.exact else None,
        "rank_bounds": [rank.low, rank.high],
        "zero_share": spectrum.zero_share,
        "smallest_eigenvalue": number(spectrum.smallest_eigenvalue),
        "largest_eigenvalue": number(spectrum.largest_eigenvalue),
        "converged": spectrum.converged,
        "trace": number(spectrum.trace),
        "psd": spectrum.psd,
    }


def units_document(units: Units) -> Document:
    """Units of a layer: how many are dead, mixed, active, smooth, and the share of slopes 0."""
    return {
        "dead": units.dead,
        "mixed": units.mixed,
        "active": units.active,
        "smooth": units.smooth,
        "slope_zero_share": units.flat,
    }


def layer_document(layer: LayerCurvature) -> Document:
    """One layer's Hessian over the weights, as the contract names its parts."""
    return {"layer": layer.layer, **spectrum_document(layer.weights)}


def hessian_document(
    hessians: Hessians, exchanged: Sequence[Exchanged], figures: Iterable[str]
) -> Document:
    """The whole of `hessian --json`.

    `one_sided`, of a layer, of its `pre_activations` and of `full`, is true where a pre-activation,
    in this layer or above, is on a node: all that is told of that Hessian, `psd` included, is made
    with the slope to the left of the node (0 for relu at 0), and on the other side it may differ.
    `on_node` counts the pairs of data point and unit of the layer itself that its weights could
    move off the node. `at` is null at the net's own weights; its `in_window` is false where the
    point is outside the preset's window.
    """
    at: Document | None = None
    if hessians.slice is not None and hessians.at is not None:
        at = {
            "slice": hessians.slice.name,
            "u": hessians.at[0],
            "v": hessians.at[1],
            "in_window": hessians.in_window,
        }
    layers = []
    for layer, units, difference in zip(
        hessians.layers, hessians.units, hessians.differences, strict=True
    ):
        transfer = hessians.network.transfers[layer.layer - 1]
        layers.append(
            {
                **layer_document(layer),
                "reason": layer.reason,
                "transfer": transfer.name,
                "pre_activations": {
                    **spectrum_document(layer.pre_activations),
                    "one_sided": layer.layer in hessians.inner_one_sided,
                },
                "gauss_newton": {
                    **spectrum_document(layer.gauss_newton),
                    "difference": difference.size,
                    "difference_converged": difference.converged,
                },
                "units": units_document(units),
                "on_node": layer.on_node,
                "one_sided": layer.layer in hessians.one_sided,
            }
        )
    return {
        "preset": hessians.preset.name,
        "at": at,
        "layers": layers,
        "full": _full_document(hessians),
        "exchanged": [
            {
                "transfer": other.name,
                "layers": [
                    {
                        **layer_document(layer),
                        "pre_activations": spectrum_document(layer.pre_activations),
                        "units": units_document(units),
                    }
                    for layer, units in zip(other.layers, other.units, strict=True)
                ],
            }
            for other in exchanged
        ],
        "figures": list(figures),
    }


def _full_document(hessians: Hessians) -> Document:
    document: Document = {
        "trace": number(hessians.trace),
        "size": hessians.weights,
        "largest_size_with_eigenvalues": FULL,
        "rank": None,
        "negative_eigenvalues": None,
        "smallest_eigenvalue": None,
        "largest_eigenvalue": None,
        "eigenvalues": None,
        "one_sided": not hessians.smooth,
    }
    if hessians.full is not None:
        document |= {
            "rank": hessians.full.rank.high,
            "negative_eigenvalues": len(signed_parts(hessians.full)[1]),
            "smallest_eigenvalue": hessians.full.smallest_eigenvalue,
            "largest_eigenvalue": hessians.full.largest_eigenvalue,
            "eigenvalues": hessians.full.eigenvalues,
        }
    return document


def quotes_document(slice: Slice, quotes: Quotes) -> Document:
    """What is added to a slice of `check-maxima --json`: Hessians of the moved layers, and traces.

    `layer_hessians` has an entry for each stationary point at which they are quoted; kinked ones
    have none, and `layer_hessians_left_out` counts those that would have taken too long.
    """
    holds = theorem_holds(slice.objective)
    return {
        "layer_hessians": [
            {
                "u": quote.point.u,
                "v": quote.point.v,
                "kind": quote.point.kind,
                "layers": [layer_document(layer) for layer in quote.layers],
                "full": {"trace": number(quote.trace)},
            }
            for quote in quotes.quotes
        ],
        "layer_hessians_left_out": quotes.left_out,
        "full_trace": {"never_negative": holds, "reason": trace_words(slice.objective)},
    }
