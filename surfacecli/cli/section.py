"""`surface section`: E along a straight line through two points of a slice."""

from typing import Any

import click

from surfacecli.cli.options import (
    Point,
    force_option,
    format_option,
    json_option,
    output_option,
    preset_argument,
    quiet_option,
    seed_option,
    size_option,
    slice_options,
    study_of,
)
from surfacecli.errors import SurfaceError


@click.command("section")
@preset_argument
@slice_options
@seed_option
@click.option("--from", "start", type=Point(), help="One end; default: the window's left middle.")
@click.option("--to", "end", type=Point(), help="The other end; default: its right middle.")
@click.option(
    "--points",
    type=click.IntRange(2, 100_000),
    default=401,
    show_default=True,
    help="Equally spaced points on the line; the kinks come on top.",
)
@size_option
@format_option
@output_option
@force_option
@json_option
@quiet_option
def section(
    preset: str,
    start: tuple[float, float] | None,
    end: tuple[float, float] | None,
    points: int,
    file_format: str,
    output: str,
    force: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Draw E along a straight line through a slice of PRESET, with its kinks marked.

    On nets with piecewise-linear transfer functions every kink of E on the line is found exactly.
    Writes PRESET-SLICE-section.png into the output folder.
    """
    study = study_of(preset, quiet=quiet, **choices)
    from pathlib import Path

    from surfacecli.documents import section_document
    from surfacecli.figures import draw_section, encode_figure
    from surfacecli.geometry.section import take_section
    from surfacecli.outputs import inside, json_text, write_file
    from surfacecli.pictures import file_name, provenance_of, section_picture

    window, documents = study.window, []
    middle = 0.5 * (window.v0 + window.v1)
    start, end = start or (window.u0, middle), end or (window.u1, middle)
    for slice in study.slices:
        try:
            line = take_section(slice, start, end, points)
        except ValueError as error:
            raise SurfaceError(str(error)) from error
        path = inside(Path(output), file_name(study, f"{slice.name}-section", file_format))
        figure = draw_section(section_picture(study, slice, line), study.size)
        provenance = {
            **provenance_of(study, slice),
            "section": {"from": list(start), "to": list(end), "points": points},
        }
        title = f"{study.preset.title}: section of {slice.name}"
        write_file(path, encode_figure(figure, file_format, provenance, title), force=force)
        documents.append({"file": path.as_posix(), **section_document(slice, line)})
        if not as_json:
            count = len(line.kinks)
            kinks = f"{count} kink{'s' * (count != 1)}" if line.exact else "kinks not marked"
            click.echo(f"wrote {path.as_posix()}: {kinks}")
    if as_json:
        click.echo(json_text({"preset": study.preset.name, "sections": documents}), nl=False)
