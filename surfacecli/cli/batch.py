"""`surface batch`: the figures of many presets at once."""

from typing import TYPE_CHECKING

import click

from surfacecli.cli.completion import complete_preset
from surfacecli.cli.options import (
    Resolution,
    format_option,
    json_option,
    quiet_option,
    seed_option,
    size_option,
    style_option,
)

if TYPE_CHECKING:
    from surfacecli.batch.planning import Plan
    from surfacecli.batch.running import Report


#: Letters of the reason for a failure that a row of the table shows.
REASON = 72


@click.command("batch")
@click.argument(
    "presets", nargs=-1, required=True, metavar="PRESET...", shell_complete=complete_preset
)
@click.option(
    "--output",
    type=click.Path(file_okay=True),
    default="outputs/batch",
    show_default=True,
    help="Folder for the figures and their gallery; made where it is missing.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; default: the cores.")
@click.option(
    "--force",
    is_flag=True,
    help="Make all anew, and overwrite files that surface did not make.",
)
@click.option("--resolution", type=Resolution(), help="Points along u and v, as 101 or 201x101.")
@seed_option
@style_option
@size_option
@format_option
@json_option
@quiet_option
@click.pass_context
def batch(
    ctx: click.Context,
    presets: tuple[str, ...],
    output: str,
    jobs: int | None,
    force: bool,
    resolution: tuple[int, int] | None,
    seed: int | None,
    style: str | None,
    size: str | None,
    file_format: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw every slice of many presets, on several processes.

    A PRESET is the name of a shipped preset, a file, a folder (all *.yaml in it) or a pattern such
    as 'studies/**/*.yaml'. Writes PRESET-SLICE.png and, beside it, PRESET-SLICE.json: what it was
    made from, and the verdict. The folder's index.html is a gallery, manifest.json a list. Both and
    the table say where the audit of the points failed (see check-maxima).

    Run again, it makes only what changed: a preset or a file it reads, an option, the code. So an
    interrupted batch goes on where it was. A preset that fails does not stop the others.

    Exit status 1 where something failed, 3 where the theorem applies and was found violated, 130
    after Ctrl-C.
    """
    from pathlib import Path

    from surfacecli.batch.folder import describe_folder
    from surfacecli.batch.planning import make_plan
    from surfacecli.batch.records import Options
    from surfacecli.batch.running import Report, choose_jobs, run_batch
    from surfacecli.outputs import json_text
    from surfacecli.progress import open_progress

    options = Options(style, file_format, resolution, seed, size)
    plan = make_plan(presets, Path(output), options, force)
    if not quiet:
        _announce(plan, choose_jobs(plan, jobs))
    # Before the work: a folder that cannot be written is told now, and once.
    describe_folder(Report.before(plan), force)
    with open_progress(len(plan.missing), quiet) as progress:
        report = run_batch(plan, progress, jobs)
    describe_folder(report, force)
    if as_json:
        click.echo(json_text(_document(report)), nl=False)
    elif not report.interrupted:
        _print_table(report)
    for failure in report.failures:
        # Most messages name the place themselves.
        place = "" if failure.where in failure.message else f"{failure.where}: "
        for line in failure.message.splitlines():
            click.echo(f"surface: {place}{line}", err=True)
    _say_end(report, quiet)
    ctx.exit(_status(report))


def _status(report: "Report") -> int:
    if report.interrupted:
        return 130
    if report.failures:
        return 1
    return 3 if report.violated else 0


def _announce(plan: "Plan", jobs: int) -> None:
    for remark in plan.remarks:
        click.echo(f"surface: {remark}", err=True)
    todo = len(plan.missing)
    unchanged = f"{len(plan.done)} unchanged, " if plan.done else ""
    workers = f" on {jobs} processes" if jobs > 1 and todo else ""
    click.echo(f"batch: {len(plan.tasks)} figures, {unchanged}{todo} to make{workers}", err=True)


def _say_end(report: "Report", quiet: bool) -> None:
    made, left = report.count("made"), report.count("left")
    if report.interrupted:
        click.echo(
            f"surface: interrupted: {made} made, {left} left; the same command again goes on",
            err=True,
        )
    elif not quiet:
        gallery = (report.plan.folder / "index.html").as_posix()
        failed = f", {len(report.failures)} failed" if report.failures else ""
        click.echo(
            f"batch: {made} made, {report.count('unchanged')} unchanged{failed}; see {gallery}",
            err=True,
        )


def _print_table(report: "Report") -> None:
    from surfacecli.cli.console import make_table, print_table

    where = f"figure in {report.plan.folder.as_posix()}"
    table = make_table("preset", "slice", "status", "theorem", "local maxima", where, ">seconds")
    for trouble in report.plan.troubles:
        table.add_row(trouble.where, "", _failed(trouble.message, trouble.where), "", "", "", "")
    for item in report.items:
        task, record = item.task, item.record
        if record is None:
            status = _failed(item.message) if item.message else item.status
            table.add_row(task.study, task.slice, status, "", "", "", "")
        else:
            table.add_row(
                task.study,
                task.slice,
                item.status,
                record.theorem,
                (record.maxima or "none") + "; audit NOT COMPLETE" * bool(record.fault),
                record.figure,
                f"{record.seconds:.1f}" if item.status == "made" else "",
            )
    print_table(table)


def _failed(message: str, where: str = "") -> str:
    """'failed: ' and the first words of why; the whole message follows below the table.

    `where` is in the row already: 'x.yaml:2:1: what' becomes 'line 2:1: what'.
    """
    reason = message.split("\n", 1)[0].split("; ", 1)[0]
    if where and reason.startswith(f"{where}:"):
        reason = f"line {reason.removeprefix(f'{where}:')}"
    return f"failed: {reason if len(reason) <= REASON else reason[: REASON - 3].rstrip() + '...'}"


def _document(report: "Report") -> dict[str, object]:
    folder = report.plan.folder
    figures: list[dict[str, object]] = []
    for item in report.items:
        entry: dict[str, object] = {
            "study": item.task.study,
            "slice": item.task.slice,
            "status": item.status,
        }
        if item.record is not None:
            entry |= {
                "figure": (folder / item.record.figure).as_posix(),
                "record": (folder / item.record.file).as_posix(),
                "seconds": item.record.seconds,
                "key": item.record.key,
                "verdict": item.record.verdict,
            }
        elif item.message:
            entry["message"] = item.message
        figures.append(entry)
    return {
        "folder": folder.as_posix(),
        "gallery": (folder / "index.html").as_posix(),
        "manifest": (folder / "manifest.json").as_posix(),
        "made": report.count("made"),
        "unchanged": report.count("unchanged"),
        "failed": len(report.failures),
        "left": report.count("left"),
        "interrupted": report.interrupted,
        "figures": figures,
        "failures": [
            {"where": failure.where, "message": failure.message} for failure in report.failures
        ],
    }
