"""RUNS descent on a result: which methods from which starts, and the paths that they take."""

from collections.abc import Sequence

from surfacecli.errors import SurfaceError
from surfacecli.geometry.descent.descend import descend
from surfacecli.geometry.descent.path import Method, Path
from surfacecli.geometry.descent.starts import random_starts, spread_starts
from surfacecli.study import Result

#: Starts where no one says how many.
STARTS = 6


def descend_result(
    result: Result,
    methods: Sequence[Method],
    starts: Sequence[tuple[float, float]] = (),
    count: int | None = None,
    step: float | None = None,
) -> tuple[Path, ...]:
    """The paths of every method from given starts, `count` random ones, or some spread ones.

    Random starts are drawn from the seed of the preset's directions. Raises `SurfaceError` for a
    start outside the window.
    """
    study, verdict = result.study, result.verdict
    chosen = list(starts)
    if count is not None:
        chosen += random_starts(study.window, count, study.preset.seeds.get("directions", 0))
    chosen = chosen or spread_starts(study.window, STARTS)
    try:
        return tuple(
            path
            for method in methods
            for path in descend(
                result.slice,
                study.window,
                chosen,
                method,
                exact=verdict.exact,
                across=verdict.across,
                points=(*verdict.points, *verdict.border),
                step=step,
            )
        )
    except ValueError as error:
        raise SurfaceError(f"slice {result.slice.name}: {error}") from error
