"""`surface audit`: what a grid misses of the exact surface."""

from typing import TYPE_CHECKING, Any

import click

from surfacecli.cli.options import (
    budget_option,
    force_option,
    format_option,
    grid_options,
    json_option,
    output_option,
    preset_argument,
    quiet_option,
    size_option,
    slice_options,
    study_of,
)

if TYPE_CHECKING:
    from surfacecli.exactly import Audited
    from surfacecli.figures.audit import AuditPicture
    from surfacecli.geometry.slices import Slice
    from surfacecli.study import Study


@click.command("audit")
@preset_argument
@slice_options
@grid_options
@budget_option
@size_option
@format_option
@output_option
@force_option
@json_option
@quiet_option
def audit(
    preset: str,
    file_format: str,
    output: str,
    force: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Say what a grid misses: is what you see in a sampled picture there?

    Holds a grid of --resolution points against all cells and stationary points of the slices of
    PRESET within a layer: cells that it never visits, minima and maxima that it shows and that are
    none, points that it does not show, and Hessians by finite differences with the wrong sign.
    Writes PRESET-SLICE-audit.png (or svg, pdf) into the output folder.
    """
    study = study_of(preset, quiet=quiet, **choices)
    from pathlib import Path

    from surfacecli.cli.working import examine_all
    from surfacecli.exact_documents import audit_document
    from surfacecli.exactly import audit_slice
    from surfacecli.figures import encode_figure, sheet_of
    from surfacecli.figures.audit import draw_audit
    from surfacecli.outputs import inside, json_text, write_file
    from surfacecli.pictures import provenance_of, size_suffix

    folder = Path(output)
    audits: list[tuple[Audited, str]] = []
    for slice in _with_cells(study, quiet):
        audited = audit_slice(study, slice, examine_all(study, slice, quiet))
        what = f"{slice.name}-audit{size_suffix(study)}"
        path = inside(folder, f"{study.preset.name}-{what}.{file_format}")
        figure = draw_audit(_picture(study, audited), sheet_of(study.size))
        title = f"{study.preset.title}: {slice.name}, what a grid misses"
        content = encode_figure(figure, file_format, provenance_of(study, slice), title)
        write_file(path, content, force=force)
        audits.append((audited, path.as_posix()))
    if as_json:
        click.echo(json_text(audit_document(study, audits)), nl=False)
    else:
        _print_audits(study, audits)


def _with_cells(study: "Study", quiet: bool) -> "list[Slice]":
    """The slices whose cells are polygons, saying which have none; where none has, all of them."""
    from surfacecli.geometry.claim import polygons_apply, why_no_polygons

    found = [slice for slice in study.slices if polygons_apply(slice)]
    if not found:
        return list(study.slices)
    for slice in study.slices:
        if slice not in found and not quiet:
            click.echo(f"surface: {slice.name} left out: {why_no_polygons(slice)}", err=True)
    return found


def _picture(study: "Study", audited: "Audited") -> "AuditPicture":
    from surfacecli.figures.audit import AuditPicture
    from surfacecli.figures.picture import write_formula
    from surfacecli.pictures import origin_line

    slice = audited.slice
    return AuditPicture(
        study.preset.title,
        f"{slice.name}: {write_formula(slice)}",
        slice.moves("u"),
        slice.moves("v"),
        audited.missed,
        origin_line(study, slice),
    )


def _print_audits(study: "Study", audits: "list[tuple[Audited, str]]") -> None:
    from surfacecli.cli.console import make_table, print_table

    n_u, n_v = study.resolution
    table = make_table(
        f"a grid of {n_u} x {n_v} points",
        *(f">{audited.slice.name}" for audited, _ in audits),
        title=f"{study.preset.name}: {study.preset.title}",
    )
    for row in zip(*(_rows(audited) for audited, _ in audits), strict=True):
        table.add_row(row[0][0], *(value for _, value in row))
    print_table(table)
    for audited, file in audits:
        click.echo(f"{audited.slice.name}: {_answer(audited)}")
        click.echo(f"wrote {file}")


def _rows(audited: "Audited") -> list[tuple[str, str]]:
    missed = audited.missed
    cells, unvisited = len(missed.visits), int(missed.unvisited.sum())
    differences = missed.differences
    wrong = len(differences.places)
    rows = [
        ("cells", f"{cells:,}"),
        ("cells without a grid point", f"{unvisited:,} ({unvisited / cells:.1%})"),
        ("their share of the area", f"{missed.unvisited_area:.2%}"),
    ]
    plurals = {"minimum": "minima", "maximum": "maxima", "saddle": "saddles"}
    for kind, claims in missed.claims.items():
        false = len(claims.false_places)
        rows.append((f"{plurals[kind]} that it shows", f"{len(claims.true)}, {false} false"))
    share = wrong / differences.judged if differences.judged else 0.0
    return [
        *rows,
        (
            "stationary points that it does not show",
            f"{len(missed.unshown)} of {missed.showable}",
        ),
        ("lowest grid point", f"{missed.lowest[2]:.8g}"),
        ("proven minimum", f"{missed.exact.lowest[2]:.8g}"),
        ("difference Hessians of the wrong sign", f"{wrong:,} ({share:.1%})"),
        (
            "the worst eigenvalue among them",
            f"{differences.claimed.min():.4g}" if wrong else "-",
        ),
    ]


def _answer(audited: "Audited") -> str:
    """Is what I see there? In one or two sentences."""
    missed = audited.missed
    shown = sum(len(claims.true) for claims in missed.claims.values())
    false = sum(len(claims.false_places) for claims in missed.claims.values())
    hidden, wrong = len(missed.unshown), len(missed.differences.places)
    there = (
        f"all {shown} extrema and saddles that the grid shows are there"
        if not false
        else f"of the {shown} extrema and saddles that the grid shows, {false} "
        f"{'is' if false == 1 else 'are'} not there"
    )
    seen = (
        "and it shows every stationary point"
        if not hidden
        else f"and it does not show {hidden} of {missed.showable} stationary points"
    )
    curved = (
        "Its finite differences give every Hessian the right sign."
        if not wrong
        else f"At {wrong:,} points finite differences claim a negative curvature; there is none."
    )
    incomplete = "" if missed.exact.audit.complete else " The exact audit is NOT COMPLETE."
    return f"{there}, {seen}. {curved}{incomplete}"
