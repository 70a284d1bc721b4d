"""RUNS the curvature of a preset's net: by layer, all layers together, transfers exchanged."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from surfacecli.errors import SurfaceError
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.network.curvature import (
    LayerCurvature,
    Rank,
    Spectrum,
    backpropagate,
    examine_layers,
    full_hessian,
    full_trace,
)
from surfacecli.network.curvature.examine import WIDE
from surfacecli.network.curvature.matrices import ALL, measure_matrix
from surfacecli.network.curvature.outer import DENSE
from surfacecli.network.curvature.spectrum import spectrum_from
from surfacecli.network.data import Objective
from surfacecli.network.difference import Difference, gauss_newton_difference
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array, Transfer, leaky_relu, relu, tanh
from surfacecli.network.units import Units, count_units
from surfacecli.presets import Preset
from surfacecli.study import TOO_HIGH, check_layer

#: The most weights of a net of which the eigenvalues of all layers together are found.
FULL = ALL
#: The most points of a slice at which layer Hessians are quoted.
QUOTED = 100
#: Multiplications (see `count_work`) that quoting and exchanging transfer functions may take, and
#: what a second does at the least.
QUOTING, EXCHANGING, PER_SECOND = 3e9, 6e9, 3e9


@dataclass(frozen=True, eq=False)
class Hessians:
    """The curvature of a net at one point of weight space.

    `slice` and `at` (u, v) say where, None at the net's own weights; `network` is the net there.
    `layers` are those asked for, `units` and `differences` (Gauss-Newton from the Hessian) theirs.
    `trace` is that of the Hessian over the `weights` of all layers; `full` its spectrum, None
    beyond `FULL` weights. All is over the weights: biases are held. `on_node` (L,) counts, for each
    layer of the net, the pairs of data point and unit on a node off which the layer's weights could
    move them, `at_node` (L,) all pairs on a node; `kinked` (L,) tells whether the layer's weights
    could move an h of it or of one above off its node: that Hessian is one-sided, made with the
    slope to the left.
    """

    preset: Preset
    slice: Slice | None
    at: tuple[float, float] | None
    network: Network
    layers: tuple[LayerCurvature, ...]
    units: tuple[Units, ...]
    differences: tuple[Difference, ...]
    trace: float
    full: Spectrum | None
    on_node: tuple[int, ...]
    at_node: tuple[int, ...]
    kinked: tuple[bool, ...]

    @property
    def weights(self) -> int:
        return sum(W.size for W in self.network.weights)

    @property
    def one_sided(self) -> tuple[int, ...]:
        """Those of `layers` whose Hessian is one-sided."""
        return tuple(n.layer for n in self.layers if n.one_sided)

    @property
    def inner_one_sided(self) -> tuple[int, ...]:
        """Those whose Hessian over the pre-activations is: a pair of them or above is `at_node`."""
        return tuple(n.layer for n in self.layers if any(self.at_node[n.layer - 1 :]))

    @property
    def smooth(self) -> bool:
        """Whether no weights could move an h off its node: the Hessian over all is two-sided."""
        return not any(self.kinked)

    @property
    def in_window(self) -> bool:
        """Whether `at` is inside the preset's window; True at the net's own weights."""
        if self.at is None:
            return True
        (u, v), window = self.at, self.preset.window
        return window.u0 <= u <= window.u1 and window.v0 <= v <= window.v1

    @property
    def negative(self) -> int:
        """How many eigenvalues of the full Hessian are below 0, beyond rounding."""
        return 0 if self.full is None else len(signed_parts(self.full)[1])


def examine_hessians(
    preset: Preset,
    layer: int | None = None,
    slice: Slice | None = None,
    at: tuple[float, float] | None = None,
) -> Hessians:
    """The Hessians of a preset's net, of one layer or of all, at its weights or on a slice.

    Raises `SurfaceError` for a layer that is none, a point that is not finite, and where the error
    is too large for its curvature to be a number.
    """
    objective, chosen = preset.objective, choose_layers(preset, layer)
    network = objective.network
    if slice is not None and at is not None:
        if not np.isfinite(at).all():
            raise SurfaceError(f"the point {at[0]:g},{at[1]:g} is not finite")
        network = slice.network_at(*at)
    check_height(objective, network)
    layers = examine_layers(objective, network, chosen)
    weights = sum(W.size for W in network.weights)
    passes = backpropagate(objective, network)
    full = None
    if weights <= FULL:
        H = full_hessian(objective, network)
        found = measure_matrix(H, definite=False)
        assert found.eigenvalues is not None  # up to ALL rows they are
        rank = Rank(found.rank, found.rank)
        full = spectrum_from(found.eigenvalues, float(np.trace(H)), rank, weights)
    return Hessians(
        preset,
        slice,
        at,
        network,
        layers,
        _units(objective, network, chosen),
        tuple(gauss_newton_difference(objective, n, network) for n in chosen),
        _trace_of_all(objective, network, layers),
        full,
        passes.on_node,
        tuple(
            sum(int((h == node).sum()) for node in f.nodes or ())
            for f, h in zip(network.transfers, passes.pre_activations, strict=True)
        ),
        tuple(passes.kinked(n) for n in range(1, network.depth + 1)),
    )


def _trace_of_all(
    objective: Objective, network: Network, layers: tuple[LayerCurvature, ...]
) -> float:
    """The trace of the full Hessian, by the layers' traces where all of them are there."""
    if len(layers) == network.depth:
        return float(sum(layer.trace for layer in layers))
    return full_trace(objective, network)


def choose_layers(preset: Preset, layer: int | None = None) -> tuple[int, ...]:
    """The layer asked for, or all. Raises `SurfaceError` for one that does not exist."""
    if layer is None:
        return tuple(range(1, preset.objective.network.depth + 1))
    check_layer(preset, layer)
    return (layer,)


def theorem_holds(objective: Objective) -> bool:
    """Whether every layer's Hessian must be PSD: D = 0 in eq. (2) and a convex loss."""
    return objective.network.piecewise_linear and objective.loss.convex


def trace_words(objective: Objective) -> str:
    """What follows for the Hessian over all weights at once, wherever it exists."""
    trace = "the trace of the Hessian over all weights is the sum of the layers' traces"
    if theorem_holds(objective):
        return f"{trace}, none of which is negative: no smooth maximum anywhere in the weight space"
    bent = next((f.name for f in objective.network.transfers if not f.piecewise_linear), None)
    why = f"{bent} bends" if bent else f"the loss {objective.loss.name} is not convex"
    return f"{trace}, and these may be negative: {why}"


def count_work(objective: Objective, layers: Collection[int]) -> float:
    """About how many multiplications the curvature of some layers takes."""
    widths, samples = objective.network.widths, len(objective.data)
    matrices = sum(samples * min(widths[n], WIDE) ** 3 for n in range(min(layers), len(widths)))
    return matrices + sum(float(min(widths[n] * widths[n - 1], DENSE)) ** 3 for n in layers)


def check_height(objective: Objective, network: Network) -> None:
    """Raises `SurfaceError` where the error is too large for its curvature to be a number."""
    with np.errstate(over="ignore", invalid="ignore"):
        passes = backpropagate(objective, network)
        error = objective.loss.value(passes.activations[-1], objective.data.targets).sum()
        largest = max(np.abs(g).max() for g in (error, *passes.weight_gradients))
    if not largest < TOO_HIGH:
        raise SurfaceError(
            f"the error or its slopes exceed {TOO_HIGH:g} there; choose smaller weights or data"
        )


def _units(objective: Objective, network: Network, layers: Collection[int]) -> tuple[Units, ...]:
    pre_activations, _ = network.forward(objective.data.inputs)
    return tuple(count_units(network.transfers[n - 1], pre_activations[n - 1]) for n in layers)


@dataclass(frozen=True, eq=False)
class Exchanged:
    """A net with another transfer function in all layers but the linear ones, and its curvature."""

    name: str
    layers: tuple[LayerCurvature, ...]
    units: tuple[Units, ...]


def exchange_transfers(preset: Preset, network: Network) -> tuple[Exchanged, ...]:
    """The net with relu, leaky_relu and tanh in turn, and as it is where it is none of these.

    The weights and the data stay. leaky_relu has the net's own slope where it has one. Empty for a
    net of linear layers alone, in which nothing can be exchanged.
    """
    own = [f for f in network.transfers if not f.is_identity]
    if not own:
        return ()
    leaky = next((f for f in own if f.name == "leaky_relu"), leaky_relu())
    found = []
    for transfer in (relu, leaky, tanh):
        other = _with_transfer(network, transfer)
        found.append((transfer.name, other))
    names = {f.name for f in own}
    if len(names) > 1 or names.isdisjoint(name for name, _ in found):
        found.append((f"as it is ({', '.join(dict.fromkeys(f.name for f in own))})", network))
    result = []
    for name, other in found:
        check_height(preset.objective, other)
        layers = range(1, other.depth + 1)
        result.append(
            Exchanged(
                name,
                examine_layers(preset.objective, other),
                _units(preset.objective, other, layers),
            )
        )
    return tuple(result)


def _with_transfer(network: Network, transfer: Transfer) -> Network:
    return replace(
        network, transfers=tuple(f if f.is_identity else transfer for f in network.transfers)
    )


def signed_parts(spectrum: Spectrum) -> tuple[Array, Array]:
    """The positive and the negative eigenvalues told from zero, each largest first.

    As many as the rank says. Of a matrix that is PSD none is negative: those that rounding leaves
    below 0 are 0, among the positive. Raises `ValueError` where the eigenvalues are not held.
    """
    if spectrum.eigenvalues is None:
        raise ValueError("the eigenvalues of this matrix are not held")
    values = spectrum.eigenvalues
    if spectrum.psd:
        largest = values[len(values) - spectrum.rank.high :]
        return np.maximum(largest, 0.0)[::-1], np.empty(0)
    values = np.sort(values[np.argsort(-np.abs(values), kind="stable")[: spectrum.rank.high]])
    return values[values > 0][::-1], values[values < 0][::-1]


@dataclass(frozen=True, eq=False)
class Quote:
    """The Hessians of the moved layers at a stationary point with a Hessian, and the full trace."""

    point: StationaryPoint
    layers: tuple[LayerCurvature, ...]
    trace: float


@dataclass(frozen=True, eq=False)
class Quotes:
    """What is quoted of a slice, and at how many more points with a Hessian it is not."""

    quotes: tuple[Quote, ...]
    left_out: int


def quote_layers(slice: Slice, points: Sequence[StationaryPoint]) -> Quotes:
    """Layer Hessians at the points where E has a Hessian; on a kink there is none.

    The first ones, as many as `QUOTING` and `QUOTED` allow: of large layers none at all.
    """
    objective = slice.objective
    most = min(QUOTED, int(QUOTING / count_work(objective, slice.moved)))
    found: list[Quote] = []
    left_out = 0
    for point in points:
        if point.eigenvalues is None:
            continue
        network = slice.network_at(point.u, point.v)
        passes = backpropagate(objective, network)
        if any(passes.kinked(n) for n in range(1, network.depth + 1)):
            continue
        if len(found) == most:
            left_out += 1
            continue
        layers = examine_layers(objective, network, slice.moved)
        found.append(Quote(point, layers, _trace_of_all(objective, network, layers)))
    return Quotes(tuple(found), left_out)
