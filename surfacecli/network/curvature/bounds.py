"""What the structure of a layer alone says about the rank of its Hessian.

PH_l,n has no more rank than units of layer l that data point n curves; where nothing bends, no more
than any layer from l on has active units, and no more than the loss's Hessian. H_l has no more rank
than these together; and unit i of layer l is curved by its active data alone, so over its row of
W_l the Hessian sees only the span of their inputs:

    rank H_l <= sum_n rank PH_l,n [a_n not 0]        rank H_l <= sum_i rank {a_n : n curves unit i}

A unit that is dead for all data is the case of an empty span.
"""

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.curvature.passes import Backpropagation
from surfacecli.network.curvature.spectrum import count_nonzero
from surfacecli.network.transfers import Array

#: Multiply-adds that finding the spans of a layer's units may take, by its sizes.
SPAN_WORK = 2e10


def curved_units(passes: Backpropagation, layer: int, gauss_newton: bool) -> NDArray[np.bool_]:
    """Where a unit's row of PH_l, or G_l, may be other than zero: (N, n_l)."""
    curved: NDArray[np.bool_] = passes.slopes[layer - 1] != 0
    if not gauss_newton:
        curved |= passes.bends[layer - 1] != 0
    return curved


def inner_rank_bounds(passes: Backpropagation, layer: int, gauss_newton: bool) -> NDArray[np.intp]:
    """The most that the rank of each data point's PH_l, or G_l, can be: (N,)."""
    most = curved_units(passes, layer, gauss_newton).sum(axis=1)
    if gauss_newton or not passes.bent(layer):
        for slopes in passes.slopes[layer:]:
            most = np.minimum(most, (slopes != 0).sum(axis=1))
    return np.asarray(most, dtype=np.intp)


def unit_spans(passes: Backpropagation, layer: int, gauss_newton: bool) -> list[Array | None]:
    """For each unit an orthonormal basis (r, n_{l-1}) of what its curved data span.

    None stands for the whole space. Units that are curved by the same data share one computation.
    """
    a = passes.inputs(layer)
    curved = curved_units(passes, layer, gauss_newton)
    patterns, which = np.unique(curved.T, axis=0, return_inverse=True)
    bases: list[Array | None] = []
    for pattern in patterns:
        _, values, rows = np.linalg.svd(a[pattern], full_matrices=False)
        rank = count_nonzero(values)
        bases.append(None if rank == a.shape[1] else np.asarray(rows[:rank]))
    return [bases[k] for k in which.ravel()]


def span_bound(passes: Backpropagation, layer: int, gauss_newton: bool) -> int:
    """The sum of the spans' dimensions, or where that costs too much a bound of it."""
    a = passes.inputs(layer)
    counts = curved_units(passes, layer, gauss_newton).sum(axis=0)
    n = len(counts)
    if n * len(a) * a.shape[1] * min(a.shape) <= SPAN_WORK:
        spans = unit_spans(passes, layer, gauss_newton)
        return sum(a.shape[1] if Q is None else len(Q) for Q in spans)
    rank = count_nonzero(np.asarray(np.linalg.svd(a, compute_uv=False)))
    return int(np.minimum(counts, rank).sum())
