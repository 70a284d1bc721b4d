"""The window cut into slabs a < x < b in which the kinks are curves, one above another throughout.

Kinks are added layer by layer. Between two neighbouring curves of a slab every unit of the layers
so far keeps its piece, so the next layer's pre-activations f are bilinear there, and affine in y
for each x: f has its zero between the two curves where its signs on them differ. So a slab is cut
where f changes its sign on a curve below or above (roots of quadratics), and then where two of the
zeros meet (quadratics again). What two neighbouring curves of a slab enclose is called a patch.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.frame import Frame
from surfacecli.geometry.across.ragged import pairs_within, spread, starts, thin_out
from surfacecli.geometry.across.strips import NEAREST, activate, find_strips
from surfacecli.geometry.exact.telling import Progress, Teller
from surfacecli.geometry.roots import evaluate_polynomials, find_roots
from surfacecli.network.transfers import Array, Transfer

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: The names of the window's lower and upper side among the curves.
BOTTOM, TOP = -1, -2
#: Strips are cut together up to this number of pairs of functions.
TOGETHER = 1 << 21
#: Rounding of a quadratic as a share of its terms, which makes roots unsure, by so much of a slab
#: at most: a root as near as that to an end of its slab is that end.
ROOT, UNSURE = 1e-15, 1e-6
#: A function counts as 0 on a curve below this times the size of its terms.
ON_CURVE = 1e-13


@dataclass(frozen=True, eq=False)
class Slabs:
    """Slabs between the bounds x (S + 1,), with curves (C, 4) from the lowest to the highest.

    start (S + 1,): where a slab's curves begin. name (C,): what makes a curve, numbers from 0 in
    the order of layers, inputs, units and nodes, or `BOTTOM` or `TOP`.
    strip_edge (S + 1,): whether a bound is a kink from bottom to top. pattern (T,): equal in two
    patches where all units have the same pieces (random sums). cut (S + 1,): the bounds of panels,
    stretches of x of which none is very much wider than the next. Patches are numbered as the
    curves below them, leaving out the highest of each slab.
    """

    frame: Frame
    x: Array
    start: Indices
    curves: Array
    name: Indices
    strip_edge: Flags
    pattern: NDArray[np.int64]
    cut: Flags = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @property
    def middle(self) -> Array:
        return 0.5 * (self.x[:-1] + self.x[1:])

    @property
    def farthest(self) -> Array:
        """The largest |x| of each slab."""
        return np.asarray(np.maximum(np.abs(self.x[:-1]), np.abs(self.x[1:])))

    @cached_property
    def panels(self) -> Array:
        """The bounds of the panels."""
        return self.x[self.cut]

    def panel_at(self, x: Array) -> Array:
        """The width of the narrowest panel at each x (k,)."""
        width = np.diff(self.panels)
        last = len(width) - 1
        left, right = (np.searchsorted(self.panels, x, side=side) - 1 for side in ("left", "right"))
        return np.asarray(np.minimum(width[left.clip(0, last)], width[right.clip(0, last)]))

    @property
    def counts(self) -> Indices:
        """The curves of each slab."""
        return np.diff(self.start)

    @property
    def slab_of_curve(self) -> Indices:
        return np.repeat(np.arange(len(self.x) - 1), self.counts)

    @property
    def slab_of_patch(self) -> Indices:
        return np.repeat(np.arange(len(self.x) - 1), self.counts - 1)

    @property
    def below(self) -> Indices:
        """The curve below each patch (T,); the one above is the next."""
        return np.arange(len(self.pattern)) + self.slab_of_patch

    def inner_points(self) -> Array:
        """A point (x, y) in the middle of each patch, (T, 2)."""
        x = self.middle[self.slab_of_patch]
        low, high = (bent.heights(self.curves[self.below + k], x) for k in (0, 1))
        return np.stack([x, 0.5 * (low + high)], axis=1)


def find_slabs(frame: Frame, progress: Progress | None = None) -> Slabs:
    """All kinks of a window of an across-layers slice of a piecewise-linear net.

    `progress` is called with the strips done and their total.
    """
    strips = find_strips(frame)
    network, count = frame.slice.objective.network, len(strips.x) - 1
    each = len(frame.inputs) * max(network.widths[frame.higher :])
    some = max(1, TOGETHER // (each * each))
    # Random numbers for strips; those for units are drawn again, the same, for each of `some`.
    pattern = np.random.default_rng(1).integers(np.iinfo(np.int64).max, size=count)
    tell, parts = Teller(progress, count), []
    for first in range(0, count, some):
        last = min(first + some, count)
        part = _sides(frame, strips.x[first : last + 1], pattern[first:last])
        parts.append(_cut_layers(part, strips.entering[first:last], strips.terms[first:last]))
        tell.one_more(last - first)
    slabs = _join(frame, parts)
    return replace(slabs, cut=slabs.strip_edge)


def kink_layers(frame: Frame, name: Indices) -> Indices:
    """The layers (k,) of the units that make curves with these names (k,)."""
    network = frame.slice.objective.network
    layers = np.arange(frame.higher, network.depth + 1)
    counts = [
        len(frame.inputs) * network.widths[n] * len(network.transfers[n - 1].nodes or ())
        for n in layers
    ]
    return np.asarray(layers[np.searchsorted(np.cumsum(counts), name, side="right")])


def _sides(frame: Frame, x: Array, pattern: NDArray[np.int64]) -> Slabs:
    """Strips with nothing in them but the window's lower and upper side."""
    count = len(x) - 1
    sides = np.stack([bent.level(y) for y in frame.y])
    return Slabs(
        frame,
        x,
        2 * np.arange(count + 1),
        np.tile(sides, (count, 1)),
        np.tile([BOTTOM, TOP], count),
        np.ones(count + 1, dtype=np.bool_),
        pattern,
    )


def _join(frame: Frame, parts: list[Slabs]) -> Slabs:
    """Slabs side by side."""
    return Slabs(
        frame,
        np.concatenate([parts[0].x[:1], *(part.x[1:] for part in parts)]),
        starts(np.concatenate([part.counts for part in parts])),
        np.concatenate([part.curves for part in parts]),
        np.concatenate([part.name for part in parts]),
        np.concatenate([parts[0].strip_edge[:1], *(part.strip_edge[1:] for part in parts)]),
        np.concatenate([part.pattern for part in parts]),
    )


def _cut_layers(slabs: Slabs, entering: Array, size: Array) -> Slabs:
    """Cut along the kinks of the higher layer and of those above it, layer by layer."""
    frame = slabs.frame
    network, draw = frame.slice.objective.network, np.random.default_rng(0)
    (h, terms), made = _higher_layer(frame, entering, size), 0
    kinked = (n for n in range(frame.higher, network.depth + 1) if network.transfers[n - 1].nodes)
    last = max(kinked, default=frame.higher)
    for layer in range(frame.higher, last + 1):
        f = network.transfers[layer - 1]
        functions = h.shape[1] * h.shape[2] * len(f.nodes or ())
        slabs, patch, piece = _cut_layer(slabs, h, terms, f, made, draw)
        made += functions
        if layer < last:
            a, size = activate(f, piece, h[patch], terms[patch])
            h, terms = _next_layer(network.weights[layer], network.biases[layer], a, size)
    return slabs


def _next_layer(W: Array, b: Array | None, a: Array, size: Array) -> tuple[Array, Array]:
    """W a + b of bilinear activations (T, m, n, 4), and the sizes of all terms on the way."""
    h, terms = np.matmul(W, a), np.matmul(np.abs(W), size)
    if b is not None:
        h[..., 0] += b
        terms[..., 0] += np.abs(b)
    return h, terms


def _higher_layer(frame: Frame, entering: Array, size: Array) -> tuple[Array, Array]:
    """The pre-activations of the higher layer in each strip, bilinear (S, m, n, 4), and sizes."""
    layer = frame.higher
    b = frame.slice.objective.network.biases[layer - 1]
    still, still_size = _next_layer(frame.slice.origin[layer], b, entering, size)
    h = np.concatenate([still, np.matmul(frame.along_y, entering)], axis=-1)
    along = np.matmul(np.abs(frame.along_y), size)
    return h, np.concatenate([still_size, along], axis=-1)


@dataclass(frozen=True, eq=False)
class _Signs:
    """The signs of functions (T, F) on the curves below and above each patch."""

    below: NDArray[np.int8]
    above: NDArray[np.int8]

    def __getitem__(self, rows: Indices) -> "_Signs":
        return _Signs(self.below[rows], self.above[rows])


def _cut_layer(
    slabs: Slabs, h: Array, terms: Array, f: Transfer, made: int, draw: np.random.Generator
) -> tuple[Slabs, Indices, NDArray[np.int8]]:
    """Cut along the kinks of a layer with pre-activations h (T, m, n, 4); terms: their sizes.

    Gives the slabs, and of each new patch: the patch that it was part of, and the pieces (m, n).
    """
    nodes, shape = f.nodes or (), h.shape[1:3]
    if not nodes:
        count = len(slabs.pattern)
        return slabs, np.arange(count), np.zeros((count, *shape), dtype=np.int8)
    functions, terms = (
        np.repeat(part.reshape(len(h), -1, 1, 4), len(nodes), axis=2) for part in (h, terms)
    )
    functions[..., 0] -= nodes
    terms[..., 0] += np.abs(nodes)
    functions, terms = (part.reshape(len(h), -1, 4) for part in (functions, terms))
    functions = bent.clean(functions, terms, slabs.frame.reach)
    slabs, whole = cut_slabs(slabs, *_entries(slabs, functions))
    signs = _signs(slabs, functions, whole)
    patch, which = np.nonzero(signs.below * signs.above < 0)
    # Without a root that n and d share: of two such functions it would be a double root.
    middle = slabs.middle[slabs.slab_of_patch[patch]]
    between = bent.normalise(functions[whole[patch], which], middle)
    value, group = _meetings(slabs, between, patch)
    slabs, part = cut_slabs(slabs, value, group)
    # Every crossing function of a patch crosses each of its parts.
    counts = np.bincount(patch, minlength=len(whole))
    owner, place = spread(counts[part])
    member = starts(counts)[:-1][part[owner]] + place
    which, crossing = which[member], functions[whole[patch[member]], which[member]]
    names = made + which
    slabs_made, base, rank, level = _put_between(slabs, owner, crossing, names)
    signs = signs[part]
    turn = np.full(signs.below.shape, np.iinfo(np.int16).max, dtype=np.int16)
    turn[owner, which] = level
    turned = turn[base] <= rank[:, None]
    low = np.where(signs.below == 0, signs.above, signs.below) > 0
    high = np.where(signs.above == 0, signs.below, signs.above) > 0
    positive = np.where(turned, high[base], low[base])
    weights = draw.integers(np.iinfo(np.int64).max, size=positive.shape[1])
    pattern = np.asarray(slabs.pattern[base] + positive @ weights, dtype=np.int64)
    piece = positive.reshape(len(positive), *shape, len(nodes)).sum(axis=-1, dtype=np.int8)
    return replace(slabs_made, pattern=pattern), whole[part[base]], piece


def _on_side(slabs: Slabs, functions: Array, side: int) -> tuple[Array, Array]:
    """f d on the curve below (side 0) or above (1) each patch: quadratics (3, T, F), and sizes."""
    curves = slabs.curves[slabs.below + side][:, None]
    reach = slabs.farthest[slabs.slab_of_patch][:, None]
    return bent.on_curve(functions, curves), bent.on_curve_size(functions, curves, reach)


def _entries(slabs: Slabs, functions: Array) -> tuple[Array, Indices]:
    """Where functions (T, F, 4) change their sign on a curve beside their patch: x, the slab."""
    slab = slabs.slab_of_patch
    lower, upper = slabs.x[slab][:, None], slabs.x[slab + 1][:, None]
    values, groups = [], []
    for side in (0, 1):
        quadratic, size = _on_side(slabs, functions, side)
        value, at = _roots(quadratic, size, lower, upper)
        values.append(value)
        groups.append(np.broadcast_to(slab[:, None], size.shape)[at])
    return np.concatenate(values), np.concatenate(groups)


def _roots(quadratic: Array, size: Array, lower: Array, upper: Array) -> tuple[Array, Indices]:
    """The roots between bounds of quadratics (3, ...) that are not 0 throughout, and whose."""
    reach = np.maximum(np.abs(lower), np.abs(upper))
    most = np.abs(quadratic[0]) + reach * (np.abs(quadratic[1]) + reach * np.abs(quadratic[2]))
    roots = find_roots(np.where(most <= ON_CURVE * size, np.nan, quadratic), lower, upper)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.abs(quadratic[1] + 2.0 * roots * quadratic[2])
        unsure = np.minimum(ROOT * size / slope, np.sqrt(ROOT * size / np.abs(quadratic[2])))
        unsure = np.minimum(unsure, UNSURE * (upper - lower))
    found = (roots > lower + unsure) & (roots < upper - unsure)
    at = np.nonzero(found)[1:]
    return roots[found], at if len(at) > 1 else at[0]  # type: ignore[return-value]


def _signs(slabs: Slabs, functions: Array, whole: Indices) -> _Signs:
    """The signs of functions (T0, F, 4) in the middle of patches that are parts of `whole`."""
    x = slabs.middle[slabs.slab_of_patch][:, None]
    signs = []
    for side in (0, 1):
        quadratic, size = _on_side(slabs, functions[whole], side)
        value = evaluate_polynomials(quadratic, x)
        sign = np.sign(value).astype(np.int8)
        sign[np.abs(value) <= ON_CURVE * size] = 0
        signs.append(sign)
    return _Signs(*signs)


def _meetings(slabs: Slabs, crossing: Array, patch: Indices) -> tuple[Array, Indices]:
    """Where the zeros of functions (k, 4) that cross the same patch meet: x, and the slab."""
    one, other = pairs_within(np.bincount(patch, minlength=len(slabs.pattern)))
    slab = slabs.slab_of_patch[patch[one]]
    quadratic = bent.on_curve(crossing[one], crossing[other])
    size = bent.on_curve_size(crossing[one], crossing[other], slabs.farthest[slab])
    value, at = _roots(quadratic, size, slabs.x[slab], slabs.x[slab + 1])
    return value, slab[at]


def cut_slabs(slabs: Slabs, value: Array, group: Indices) -> tuple[Slabs, Indices]:
    """Cut slabs `group` (n,) at x = value; gives too of each new patch the one it is part of."""
    x = slabs.x
    nearest = NEAREST * (x[-1] - x[0])
    kept = thin_out(value, group, x[:-1], x[1:], nearest)
    if not len(kept):
        return slabs, np.arange(len(slabs.pattern))
    bounds = np.concatenate([x, value[kept]])
    order = np.argsort(bounds)
    edge = np.concatenate([slabs.strip_edge, np.zeros(len(kept), dtype=np.bool_)])
    x = bounds[order]
    slab = np.searchsorted(slabs.x[1:], 0.5 * (x[:-1] + x[1:]))
    counts = slabs.counts[slab]
    of, place = spread(counts)
    curve = slabs.start[slab[of]] + place
    of, place = spread(counts - 1)
    patch = slabs.start[slab[of]] - slab[of] + place
    made = Slabs(
        slabs.frame,
        x,
        starts(counts),
        slabs.curves[curve],
        slabs.name[curve],
        edge[order],
        slabs.pattern[patch],
    )
    return made, patch


def _put_between(
    slabs: Slabs, patch: Indices, crossing: Array, name: Indices
) -> tuple[Slabs, Indices, Indices, Indices]:
    """Put the zeros of functions (k, 4), each crossing a patch from side to side, in their places.

    Zeros that run along each other become one curve. Gives the slabs, their pattern still to be
    set; of each new patch the old one and how many curves of the old one lie below it; and of each
    function the number of its curve in its patch, from 1.
    """
    x = slabs.middle[slabs.slab_of_patch[patch]]
    curves = bent.normalise(crossing, x)
    y = bent.heights(curves, x)
    order = np.lexsort((y, patch))
    apart = np.diff(y[order]) > ON_CURVE * 10.0 * (slabs.frame.y[1] - slabs.frame.y[0])
    new = np.concatenate([[True], apart | (np.diff(patch[order]) > 0)])[: len(order)]
    running = np.cumsum(new)
    first = np.searchsorted(patch[order], patch[order])
    level = np.empty(len(order), dtype=np.intp)
    level[order] = running - running[first] + 1 if len(order) else running
    chosen = order[new]
    old = np.arange(len(slabs.curves))
    base = np.concatenate([old, slabs.below[patch[chosen]]])
    rank = np.concatenate([np.zeros_like(old), level[chosen]])
    sorting = np.lexsort((rank, base))
    every = np.concatenate([slabs.curves, curves[chosen]])[sorting]
    names = np.concatenate([slabs.name, name[chosen]])[sorting]
    base, rank = base[sorting], rank[sorting]
    slab = slabs.slab_of_curve[base]
    made = replace(
        slabs,
        curves=every,
        name=names,
        start=starts(np.bincount(slab, minlength=len(slabs.x) - 1)),
    )
    below = names != TOP
    return made, (base - slab)[below], rank[below], level
