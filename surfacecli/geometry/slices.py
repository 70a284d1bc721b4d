"""A slice of weight space, theta(u, v) = theta_0 + u U + v V, and its kind."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.data import Objective
from surfacecli.network.model import DIRECTIONS_STREAM, Network, random_stream
from surfacecli.network.transfers import Array

#: A window narrower than this, relative to its distance from 0, is refused.
NARROWEST = 1e-9
#: A window narrower than this has an area that underflows.
SMALLEST = 1e-150

Kind = Literal["within-layer", "across-layers", "mixed"]


@dataclass(frozen=True)
class Window:
    """The rectangle [u0, u1] x [v0, v1] of a slice."""

    u0: float = -1.0
    u1: float = 1.0
    v0: float = -1.0
    v1: float = 1.0

    def __post_init__(self) -> None:
        if not np.isfinite([self.u0, self.u1, self.v0, self.v1]).all():
            raise ValueError("the window has a bound that is not finite")
        if not (self.u0 < self.u1 and self.v0 < self.v1):
            raise ValueError(
                f"the window [{self.u0:g}, {self.u1:g}] x [{self.v0:g}, {self.v1:g}] is empty; "
                "each upper bound must exceed its lower bound"
            )
        for low, high in ((self.u0, self.u1), (self.v0, self.v1)):
            if high - low < NARROWEST * max(abs(low), abs(high)):
                raise ValueError(
                    f"the window [{low:.17g}, {high:.17g}] is too narrow for its distance from 0: "
                    "floating-point numbers cannot tell points within it apart"
                )
            if high - low < SMALLEST:
                raise ValueError(
                    f"the window [{low:g}, {high:g}] is narrower than {SMALLEST:g}: areas in it "
                    "are 0 to floating-point numbers"
                )

    @property
    def low(self) -> Array:
        """The lower left corner (2,)."""
        return np.array([self.u0, self.v0])

    @property
    def high(self) -> Array:
        """The upper right corner (2,)."""
        return np.array([self.u1, self.v1])

    @property
    def size(self) -> Array:
        """The width and the height (2,)."""
        return self.high - self.low

    @property
    def longer_side(self) -> float:
        return float(self.size.max())

    def encloses(self, places: Array) -> NDArray[np.bool_]:
        """Which places (..., 2) lie inside, off the border."""
        return np.asarray(((places > self.low) & (places < self.high)).all(axis=-1))

    def axes(self, resolution: tuple[int, int]) -> tuple[Array, Array]:
        """The grid's coordinates u (n_u,) and v (n_v,) for a resolution (n_u, n_v).

        A window that is symmetric about 0 has exactly symmetric coordinates, with 0 itself in the
        middle of an odd number of them.
        """
        return (
            _symmetric_linspace(self.u0, self.u1, resolution[0]),
            _symmetric_linspace(self.v0, self.v1, resolution[1]),
        )


def _symmetric_linspace(start: float, stop: float, points: int) -> Array:
    """`np.linspace` rounded alike from both ends; from one end, -0.9 to 0.9 can miss 0 by 1e-16."""
    there, back = np.linspace(start, stop, points), np.linspace(stop, start, points)
    return np.asarray(0.5 * (there + back[::-1]))


@dataclass(frozen=True, eq=False)
class Slice:
    """A two-dimensional slice of the weight space of an objective.

    `origin` holds the weights of every moved layer at u = v = 0; `along_u` and `along_v` the
    directions U and V of the layers that u and v move; all are keyed by layer (from 1) and shaped
    like that layer's weights. Layers that are not moved, and all biases, keep the network's own.
    `note` says where origin and directions come from, for titles and provenance.

    Raises `ValueError` where a direction does not fit its layer.
    """

    name: str
    objective: Objective
    origin: Mapping[int, Array]
    along_u: Mapping[int, Array]
    along_v: Mapping[int, Array]
    note: str = ""
    first_moved: int = field(init=False)

    def __post_init__(self) -> None:
        network = self.objective.network
        for what, parts in (("U", self.along_u), ("V", self.along_v), ("origin ", self.origin)):
            if not parts:
                raise ValueError(f"slice {self.name}: {what.strip()} moves no layer")
            for layer, array in parts.items():
                if not 1 <= layer <= network.depth:
                    raise ValueError(
                        f"slice {self.name}: {layer} is not a layer; "
                        f"the network has layers 1 to {network.depth}"
                    )
                if array.shape != network.weights[layer - 1].shape:
                    raise ValueError(
                        f"slice {self.name}: {what}{layer} has shape {array.shape}, "
                        f"W{layer} has {network.weights[layer - 1].shape}"
                    )
                if not np.isfinite(array).all():
                    raise ValueError(
                        f"slice {self.name}: {what}{layer} holds a number that is not finite"
                    )
        if set(self.origin) != set(self.along_u) | set(self.along_v):
            raise ValueError(f"slice {self.name}: the origin must name every moved layer")
        object.__setattr__(self, "first_moved", min(self.origin))

    @property
    def moved(self) -> tuple[int, ...]:
        """The layers that u or v moves, lowest first."""
        return tuple(sorted(self.origin))

    @property
    def kind(self) -> Kind:
        u, v = set(self.along_u), set(self.along_v)
        if len(u) == len(v) == 1:
            return "within-layer" if u == v else "across-layers"
        return "mixed"

    def network_at(self, u: float, v: float) -> Network:
        """The network at the point (u, v) of the slice."""
        moved = {layer: np.array(W) for layer, W in self.origin.items()}
        for coordinate, directions in ((u, self.along_u), (v, self.along_v)):
            for layer, direction in directions.items():
                moved[layer] = moved[layer] + coordinate * direction
        return self.objective.network.with_weights(moved)

    def moves(self, axis: Literal["u", "v"]) -> str:
        """What an axis moves, in words: 'u (layer 1)' or 'v (layers 1 and 2)'."""
        layers = sorted(self.along_u if axis == "u" else self.along_v)
        if len(layers) == 1:
            return f"{axis} (layer {layers[0]})"
        return f"{axis} (layers {', '.join(map(str, layers[:-1]))} and {layers[-1]})"


def gaussian_direction(network: Network, layer: int, axis: Literal["u", "v"], seed: int) -> Array:
    """A Gaussian direction for one layer, scaled by 1/sqrt(fan-in).

    It depends on seed, layer and axis only: U of layer 1 is the same in every slice of one seed.
    """
    shape = network.weights[layer - 1].shape
    draw = random_stream(seed, DIRECTIONS_STREAM, layer, "uv".index(axis))
    return np.asarray(draw.standard_normal(shape) / np.sqrt(shape[1]))


def filter_normalised(direction: Array, weights: Array) -> Array:
    """Each row of the direction scaled to the norm of the same row of the weights.

    Li, Xu, Taylor, Studer and Goldstein (2018), section 4. A row of zeros stays as it is.
    """
    norms = np.linalg.norm(direction, axis=1, keepdims=True)
    scale = np.linalg.norm(weights, axis=1, keepdims=True)
    factor = np.divide(scale, norms, out=np.zeros_like(norms), where=norms > 0)
    return np.asarray(direction * factor)


def make_slice(
    name: str,
    objective: Objective,
    u: Collection[int],
    v: Collection[int],
    origin: Literal["zero", "weights"] = "zero",
    seed: int = 0,
    scale: Literal["gaussian", "filter"] = "gaussian",
) -> Slice:
    """A slice with drawn directions: u moves the layers `u`, v the layers `v`."""
    network = objective.network
    for layer in (*u, *v):
        if not 1 <= layer <= network.depth:
            raise ValueError(
                f"slice {name}: {layer} is not a layer; the network has layers 1 to {network.depth}"
            )

    def directions(axis: Literal["u", "v"], layers: Collection[int]) -> dict[int, Array]:
        drawn = {layer: gaussian_direction(network, layer, axis, seed) for layer in layers}
        if scale == "filter":
            return {n: filter_normalised(d, network.weights[n - 1]) for n, d in drawn.items()}
        return drawn

    return Slice(
        name=name,
        objective=objective,
        origin=slice_origin(network, {*u, *v}, origin),
        along_u=directions("u", u),
        along_v=directions("v", v),
        note=f"origin {origin}, {scale} directions, seed {seed}",
    )


def slice_origin(
    network: Network, layers: Collection[int], origin: Literal["zero", "weights"]
) -> dict[int, Array]:
    """The weights of the moved layers at u = v = 0: zero, or the network's own."""
    weights = {layer: network.weights[layer - 1] for layer in layers}
    return {n: np.zeros_like(W) if origin == "zero" else W for n, W in weights.items()}
