"""`surface export`: the numbers of one slice, for other programs."""

from typing import TYPE_CHECKING, Any

import click

from surfacecli.cli.completion import complete_preset
from surfacecli.cli.options import (
    budget_option,
    force_option,
    grid_options,
    json_option,
    quiet_option,
    slice_options,
    study_of,
)
from surfacecli.errors import SurfaceError

if TYPE_CHECKING:
    from pathlib import Path

    from surfacecli.formats.mesh import Mesh
    from surfacecli.geometry.exact.points import Exact
    from surfacecli.geometry.slices import Slice
    from surfacecli.study import Study

#: A mesh of more triangles than this is refused: a gigabyte, which nothing opens.
MOST_TRIANGLES = 2e7


@click.command("export")
@click.argument(
    "preset_and_file", nargs=-1, metavar="[PRESET] FILE", shell_complete=complete_preset
)
@slice_options
@grid_options
@click.option(
    "--cells", is_flag=True, help="The exact cells and points, or a mesh that follows the kinks."
)
@click.option(
    "--mesh-size",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="SIZE",
    help="With --cells: size of the triangles, in u and v; by default the grid's spacing.",
)
@budget_option
@force_option
@json_option
@quiet_option
def export(
    preset_and_file: tuple[str, ...],
    cells: bool,
    mesh_size: float | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Write the surface over one slice of PRESET (default post) to FILE.

    The suffix of FILE says how: .npz (arrays u, v and error, rows of error are v), .csv, and the
    meshes .obj, .ply and .vtk. With --cells the exact surface of a slice within a layer: .npz and
    .json hold its cells, kinks and stationary points, the meshes have triangles that follow the
    kinks. Every file holds what is needed to make it again.
    """
    # Two arguments, the first of them optional, are one list to click.
    if not 1 <= len(preset_and_file) <= 2:
        raise click.UsageError("give one FILE to write, after a PRESET or alone")
    preset, name = ("post", *preset_and_file)[-2:]
    from pathlib import Path

    from surfacecli.formats import FORMATS, MESHES, encode_surface

    path = Path(name)
    suffix = path.suffix.lower()
    formats = [".npz", ".json", *MESHES] if cells else [*FORMATS]
    if suffix not in formats:
        what = "cells" if cells else "surfaces"
        raise SurfaceError(
            f"{name}: {suffix or 'no suffix'} is no format of {what}; choose {', '.join(formats)}"
        )
    if mesh_size is not None and not (cells and suffix in MESHES):
        raise click.UsageError("--mesh-size is for --cells and a mesh (.obj, .ply, .vtk)")
    study = study_of(preset, quiet=quiet, **choices)
    slice = _only_slice(study)
    from surfacecli.outputs import json_text, write_file
    from surfacecli.pictures import provenance_of

    if cells:
        from surfacecli.cli.working import examine_all

        exact = examine_all(study, slice, quiet)
        _export_cells(study, slice, exact, path, mesh_size, force, as_json)
        return
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


def _export_cells(
    study: "Study",
    slice: "Slice",
    exact: "Exact",
    path: "Path",
    size: float | None,
    force: bool,
    as_json: bool,
) -> None:
    from surfacecli.exact_documents import complex_text
    from surfacecli.formats import MESHES
    from surfacecli.formats.npz import encode_arrays
    from surfacecli.geometry.complexes import flatten_complex
    from surfacecli.outputs import json_text, write_file
    from surfacecli.pictures import provenance_of

    provenance = provenance_of(study, slice)
    vertices, edges, faces = exact.cells.plane.counts
    counts = {"vertices": vertices, "edges": edges, "cells": faces}
    suffix = path.suffix.lower()
    if suffix in MESHES:
        mesh = _mesh(study, exact, size)
        counts |= {"mesh_vertices": len(mesh.vertices), "triangles": len(mesh.triangles)}
        content = MESHES[suffix](mesh, json_text(provenance))
    elif suffix == ".npz":
        content = encode_arrays(flatten_complex(exact), json_text(provenance))
    else:
        content = complex_text(exact, provenance).encode("ascii")
    write_file(path, content, force=force)
    points = len(exact.points) + len(exact.border)
    if as_json:
        document = {
            "preset": study.preset.name,
            "slice": slice.name,
            "file": path.as_posix(),
            **counts,
            "stationary_points": points,
            "complete": exact.audit.complete,
        }
        click.echo(json_text(document), nl=False)
        return
    what = (
        f"{counts['triangles']:,} triangles"
        if suffix in MESHES
        else f"{points:,} stationary points"
    )
    click.echo(f"wrote {path.as_posix()}: {slice.name}, {faces:,} cells, {what}")


def _mesh(study: "Study", exact: "Exact", size: float | None) -> "Mesh":
    """The mesh that follows the kinks; raises `SurfaceError` where it would be too large."""
    import numpy as np

    from surfacecli.formats.mesh import Mesh
    from surfacecli.geometry.facets import cut_facets, estimate_facets

    window, (n_u, n_v) = study.window, study.resolution
    spacing = ((window.u1 - window.u0) / (n_u - 1), (window.v1 - window.v0) / (n_v - 1))
    sizes = spacing if size is None else (size, size)
    count = estimate_facets(exact, sizes)
    if count > MOST_TRIANGLES:
        raise SurfaceError(
            f"a mesh of size {min(sizes):g} has up to {count:,.0f} triangles; "
            "choose a larger --mesh-size"
        )
    facets = cut_facets(exact, sizes)
    vertices = np.column_stack([facets.places, facets.error])
    return Mesh(vertices, facets.triangles, facets.error)
