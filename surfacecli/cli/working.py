"""Examine a slice or map a layer, with word on the terminal of what takes longer than a second."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from surfacecli.exactly import examine_exactly
from surfacecli.geometry.claim import Progress
from surfacecli.geometry.exact.points import Exact
from surfacecli.geometry.slices import Slice
from surfacecli.study import Plan, Result, Study, duration, round_count

#: Seconds: after the first progress is shown, past the second the work is announced.
PATIENCE, LONG = 1.0, 3.0


def examine(study: Study, slice: Slice, quiet: bool = False) -> Result:
    """`study.examine`, saying first what the user should know and then how far it is."""
    plan = study.plan(slice)
    with watched(slice, plan, quiet) as progress:
        return study.examine(slice, progress, plan)


def examine_all(study: Study, slice: Slice, quiet: bool = False) -> Exact:
    """`examine_exactly`, with the same word on the terminal."""
    plan = study.plan_polygons(slice)
    with watched(slice, plan, quiet) as progress:
        return examine_exactly(study, slice, progress, plan)


@contextmanager
def watched(slice: Slice, plan: Plan, quiet: bool = False) -> Iterator[Progress | None]:
    """Says what the user should know of a plan; within it, what to tell how far the work is."""
    remark = plan.remark
    if remark is None and plan.cells is not None and plan.seconds > LONG:
        remark = (
            f"slice {slice.name}: about {round_count(plan.cells)} cells, {duration(plan.seconds)}"
        )
    if remark and not quiet:
        click.echo(f"surface: {remark}", err=True)
    start = time.monotonic()
    shown = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - start < PATIENCE or now - shown < 0.2:
            return
        shown = now
        click.echo(f"\r{slice.name}: kink {done:,} of {total:,} ", nl=False, err=True)

    try:
        yield progress if not quiet and sys.stderr.isatty() else None
    finally:
        if shown:
            click.echo("\r\033[K", nl=False, err=True)
