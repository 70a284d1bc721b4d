"""RUNS maps of a layer's Hessian over a slice that has been examined."""

from dataclasses import dataclass

from surfacecli.errors import SurfaceError
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.layers import Quantity
from surfacecli.geometry.maps import LayerMap, estimate_map, map_layer
from surfacecli.study import Result, check_layer, duration

#: Announce maps that take longer than this (seconds).
LONG = 10.0
#: Refuse maps with a matrix or an array of more numbers than this for a single point (1 GB).
TOO_MANY = 1 << 27


@dataclass(frozen=True)
class MapPlan:
    """A map that is to be made of a result: of which layer, and what to say before it."""

    quantity: Quantity
    layer: int
    remark: str | None


def plan_map(result: Result, quantity: Quantity, layer: int | None = None) -> MapPlan:
    """What a map of a layer's Hessian will take; of the lowest moved layer where none is given.

    Raises `SurfaceError` where there is no such layer, or where a single point is too much.
    """
    layer = result.slice.first_moved if layer is None else layer
    check_layer(result.study.preset, layer)
    cost = estimate_map(result.slice, quantity, layer, result.grid, _cells_of(result))
    what = f"slice {result.slice.name}: the {quantity} of layer {layer}"
    if cost.numbers > TOO_MANY:
        raise SurfaceError(
            f"{what} takes {cost.numbers:.2g} numbers of memory at every point; "
            "choose --show dead or --show trace, or another layer with --of"
        )
    if cost.seconds <= LONG:
        return MapPlan(quantity, layer, None)
    remark = f"{what} at {cost.points:,} points: {duration(cost.seconds)}"
    smaller = "--resolution" if cost.by_grid else "--window"
    return MapPlan(quantity, layer, f"{remark}; a smaller {smaller} is faster")


def make_map(result: Result, plan: MapPlan) -> LayerMap:
    """The map itself: of every cell where it is constant in those that are known, else sampled.

    Across layers it is sampled within the cells, where these are known.
    """
    return map_layer(result.slice, plan.quantity, plan.layer, result.grid, _cells_of(result))


def _cells_of(result: Result) -> Cells | AcrossCells | None:
    solved = result.verdict.solved
    return None if solved is None else solved.cells
