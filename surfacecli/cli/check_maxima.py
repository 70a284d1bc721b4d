"""`surface check-maxima`: the theorem's verdict on each slice."""

from typing import TYPE_CHECKING, Any

import click

from surfacecli.cli.options import (
    grid_options,
    json_option,
    method_options,
    preset_argument,
    quiet_option,
    slice_options,
    study_of,
)

if TYPE_CHECKING:
    from surfacecli.study import Result, Study


@click.command("check-maxima")
@preset_argument
@slice_options
@grid_options
@method_options
@click.option(
    "--plane",
    is_flag=True,
    help="Count the cells of the whole plane too, with proof, within --budget.",
)
@json_option
@quiet_option
@click.pass_context
def check_maxima(
    ctx: click.Context, /, preset: str, plane: bool, as_json: bool, quiet: bool, **choices: Any
) -> None:
    """Check the claim that no smooth local maximum exists, slice by slice.

    For each slice of PRESET: does the theorem apply (piecewise-linear transfer functions, convex
    loss, a slice within one layer or across two), does it hold, the smallest eigenvalue of the
    Hessians of E that were looked at, every local maximum found and what it is, and the lowest
    point. The indices of all stationary points sum to 1: where the method is exact this audit
    proves that none is missing, where it is sampled it is evidence, or tells that some are.

    At the smooth stationary points the Hessians of the moved layers are quoted, and the trace of
    the Hessian over all weights.

    Exit status 3 where the theorem applies and was found violated.
    """
    study = study_of(preset, quiet=quiet, **choices)
    from surfacecli.cli.working import examine
    from surfacecli.documents import check_document
    from surfacecli.hessian_documents import quotes_document
    from surfacecli.hessians import quote_layers
    from surfacecli.outputs import json_text

    results = [examine(study, slice, quiet=quiet) for slice in study.slices]
    cells = _count_planes(results, study.budget, quiet) if plane else {}
    quotes = {r.slice.name: quote_layers(r.slice, r.verdict.points) for r in results}
    if as_json:
        more = {s.name: quotes_document(s, quotes[s.name]) for s in study.slices}
        click.echo(json_text(check_document(study, results, cells, more)), nl=False)
    else:
        from surfacecli.cli.quotes import print_quotes

        _print_verdicts(study, results)
        print_quotes(study, quotes)
        for name, count in cells.items():
            click.echo(f"{name}: the whole plane has {count:,} cells.")
    if any(result.verdict.claim.violated for result in results):
        ctx.exit(3)


def _count_planes(results: "list[Result]", budget: int, quiet: bool) -> dict[str, int]:
    """The cells of the whole plane, by slice, where those of the window are known exactly.

    Says of which slices they could not be counted.
    """
    from surfacecli.geometry.exact.whole_plane import count_plane_cells

    counts = {}
    for result in results:
        if result.verdict.exact is None or result.slice.kind != "within-layer":
            if not quiet:
                name = result.slice.name
                click.echo(
                    f"surface: --plane counts no cells of {name}: they are no polygons", err=True
                )
            continue
        try:
            counts[result.slice.name] = count_plane_cells(result.slice, budget)
        except ValueError as problem:
            if not quiet:
                click.echo(f"surface: not counted: {problem}", err=True)
    return counts


#: So many smooth saddles are printed; --json has all.
SADDLES = 8


def _print_saddles(results: "list[Result]") -> None:
    """The smooth saddles across layers: where, and along which line E bends down how much."""
    from surfacecli.cli.console import make_table, print_table

    table = make_table("slice", "smooth saddle", ">E", ">u", ">v", ">curvature", ">along (u, v)")
    for result in results:
        saddles = result.verdict.smooth_saddles if result.slice.kind == "across-layers" else ()
        for number, point in enumerate(saddles[:SADDLES], start=1):
            curvature = "" if point.eigenvalues is None else f"{point.eigenvalues[0]:.4g}"
            along = point.downhill
            table.add_row(
                result.slice.name,
                f"{number} of {len(saddles)}",
                f"{point.error:.6g}",
                f"{point.u:z.6f}",
                f"{point.v:z.6f}",
                curvature,
                "" if along is None else f"({along[0]:.4f}, {along[1]:.4f})",
            )
    if table.row_count:
        print_table(table)


def _print_verdicts(study: "Study", results: "list[Result]") -> None:
    from surfacecli.cli.console import make_table, print_table
    from surfacecli.words import (
        count_words,
        incomplete_words,
        method_words,
        sampled_audit_words,
        theorem_words,
    )

    table = make_table(
        "slice",
        "kind",
        "theorem",
        "method",
        ">smallest eigenvalue",
        "local maxima",
        ">lowest E",
        ">at u",
        ">at v",
        title=f"{study.preset.name}: {study.preset.title}",
    )
    for result in results:
        verdict = result.verdict
        table.add_row(
            result.slice.name,
            result.slice.kind,
            theorem_words(verdict.claim.applies, verdict.claim.holds),
            method_words(verdict.method, verdict.fault),
            f"{verdict.smallest_eigenvalue.value:.4g}",
            count_words(verdict.maxima) or "none",
            f"{verdict.lowest.value:.6g}",
            f"{verdict.lowest.u:.4f}",
            f"{verdict.lowest.v:.4f}",
        )
    print_table(table)
    maxima = make_table("slice", "local maximum", ">E", ">u", ">v")
    for result in results:
        verdict = result.verdict
        inside = [p for p in verdict.points if p.kind == "maximum"]
        outer = [p for p in verdict.border if p.kind == "maximum"]
        rows = [(point, point.describe()) for point in reversed(inside)]
        if outer:
            rows.append((outer[-1], f"{count_words(outer)}: the highest"))
        for point, words in rows:
            maxima.add_row(
                result.slice.name,
                words,
                f"{point.error:.6g}",
                f"{point.u:z.6f}",
                f"{point.v:z.6f}",
            )
    if maxima.row_count:
        print_table(maxima)
    _print_saddles(results)
    for result in results:
        click.echo(f"{result.slice.name}: {result.verdict.claim.reason}.")
    n_u, n_v = study.resolution
    for result in results:
        name, exact = result.slice.name, result.verdict.solved
        sampled = result.verdict.sampled_audit
        if exact is None:
            audited = "" if sampled is None else f"; audit: {sampled_audit_words(sampled)}"
            click.echo(
                f"{name}: sampled from {n_u} x {n_v} points with exact derivatives{audited}."
            )
            continue
        audit = exact.audit
        fault = result.verdict.fault
        outcome = f": {incomplete_words(fault)}" if fault else ", complete"
        click.echo(
            f"{name}: exact, {len(exact.cells):,} cells; audit: the indices sum to {audit.sum} "
            f"of {audit.expected}{outcome}."
        )
