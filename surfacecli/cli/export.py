"""`surface export`: the numbers of one slice, for other programs."""

from typing import TYPE_CHECKING, Any

import click

from surfacecli.cli.completion import complete_preset
from surfacecli.cli.options import (
    force_option,
    grid_options,
    json_option,
    quiet_option,
    slice_options,
    study_of,
)
from surfacecli.errors import SurfaceError

if TYPE_CHECKING:
    from surfacecli.geometry.slices import Slice
    from surfacecli.study import Study


@click.command("export")
@click.argument(
    "preset_and_file", nargs=-1, metavar="[PRESET] FILE", shell_complete=complete_preset
)
@slice_options
@grid_options
@force_option
@json_option
@quiet_option
def export(
    preset_and_file: tuple[str, ...], force: bool, as_json: bool, quiet: bool, **choices: Any
) -> None:
    """Write the surface over one slice of PRESET (default post) to FILE.

    The suffix of FILE says how: .npz (arrays u, v and error, rows of error are v), .csv, and the
    meshes .obj, .ply and .vtk. Every file holds what is needed to make it again.
    """
    # Two arguments, the first of them optional, are one list to click.
    if not 1 <= len(preset_and_file) <= 2:
        raise click.UsageError("give one FILE to write, after a PRESET or alone")
    preset, name = ("post", *preset_and_file)[-2:]
    from pathlib import Path

    from surfacecli.formats import FORMATS, encode_surface

    path = Path(name)
    if path.suffix.lower() not in FORMATS:
        raise SurfaceError(
            f"{name}: {path.suffix or 'no suffix'} is no format of surfaces; "
            f"choose {', '.join(FORMATS)}"
        )
    study = study_of(preset, quiet=quiet, **choices)
    slice = _only_slice(study)
    from surfacecli.outputs import json_text, write_file
    from surfacecli.pictures import provenance_of

    grid = study.sample(slice)
    provenance = json_text(provenance_of(study, slice))
    try:
        content = encode_surface(path.suffix, grid.u, grid.v, grid.error, provenance)
    except ValueError as error:
        raise SurfaceError(f"{name}: {error}") from error
    write_file(path, content, force=force)
    n_v, n_u = grid.error.shape
    if as_json:
        document = {
            "preset": study.preset.name,
            "slice": slice.name,
            "file": path.as_posix(),
            "resolution": [n_u, n_v],
            "lowest": grid.error.min(),
            "highest": grid.error.max(),
        }
        click.echo(json_text(document), nl=False)
    else:
        click.echo(f"wrote {path.as_posix()}: {slice.name}, {n_u} x {n_v} points")


def _only_slice(study: "Study") -> "Slice":
    if len(study.slices) == 1:
        return study.slices[0]
    names = ", ".join(slice.name for slice in study.slices)
    raise SurfaceError(
        f"a file holds one slice, and these of {study.preset.name} fit: {names}; "
        f"choose one, as --slice {study.slices[0].name}"
    )
