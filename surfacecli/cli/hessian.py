"""`surface hessian`: the curvature of the error, layer by layer."""

from typing import TYPE_CHECKING

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
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from surfacecli.geometry.slices import Slice
    from surfacecli.hessians import Exchanged, Hessians
    from surfacecli.presets import Preset

#: Seconds: work that takes longer is announced.
LONG = 5.0
FIGURES = ("all", "spectra", "depth", "none")


@click.command("hessian")
@preset_argument
@click.option("--layer", type=click.IntRange(min=1), help="Layer N alone; default: every layer.")
@click.option("--slice", "slice_name", metavar="NAME", help="With --at: a slice of the preset.")
@click.option(
    "--at", type=Point(), help="A point of the slice, as 0.5,-1; default: the net's own weights."
)
@click.option(
    "--figures",
    "wanted",
    type=click.Choice(FIGURES),
    help="Which figures to draw; default: all, but for a large net the spectra alone.",
)
@seed_option
@size_option
@format_option
@output_option
@force_option
@json_option
@quiet_option
def hessian(
    preset: str,
    layer: int | None,
    slice_name: str | None,
    at: tuple[float, float] | None,
    wanted: str | None,
    seed: int | None,
    size: str | None,
    file_format: str,
    output: str,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell the curvature of the error of PRESET's net, layer by layer.

    For every layer the Hessian over its weights and the one over its pre-activations: rank, extreme
    eigenvalues, trace, whether it is positive semi-definite and why, and how far the Gauss-Newton
    matrix is from it; for all layers together the trace and, up to 1500 weights, the eigenvalues.
    At the net's own weights, or at a point of a slice. Biases are held. At a kink, where a
    pre-activation is on a node, the Hessian is one-sided; that is said first, and for each layer.

    Writes PRESET-hessian.png, the eigenvalues and where the data sit, and PRESET-depth.png, rank
    and trace against depth with relu, leaky_relu and tanh in the same net.
    """
    if (slice_name is None) != (at is None):
        raise click.UsageError("--slice and --at belong together: say --slice NAME --at U,V")
    from surfacecli.hessians import examine_hessians
    from surfacecli.outputs import json_text
    from surfacecli.presets import load_preset

    source = load_preset(preset, seed)
    chosen = _slice_of(source, slice_name)
    if not quiet:
        _announce(source, layer)
    hessians = examine_hessians(source, layer, chosen, at)
    if not quiet and not hessians.in_window:
        _note_outside(hessians)
    exchanged = _exchange(hessians, wanted, quiet)
    drawn = _draw(hessians, exchanged, wanted, size or source.size)
    files = _write(hessians, drawn, size or source.size, file_format, output, force)
    if as_json:
        from surfacecli.hessian_documents import hessian_document

        click.echo(json_text(hessian_document(hessians, exchanged, files)), nl=False)
        return
    from surfacecli.cli.hessian_tables import print_hessians

    print_hessians(hessians)
    for file in files:
        click.echo(f"wrote {file}")


def _announce(preset: "Preset", layer: int | None) -> None:
    """Say what takes long before it starts."""
    from surfacecli.hessians import PER_SECOND, choose_layers, count_work

    seconds = count_work(preset.objective, choose_layers(preset, layer)) / PER_SECOND
    if seconds > LONG:
        from surfacecli.study import duration

        click.echo(f"surface: large layers, {duration(seconds)}", err=True)


def _note_outside(hessians: "Hessians") -> None:
    """Say that the point is not one of those that the slice's figures show."""
    assert hessians.slice is not None
    assert hessians.at is not None
    (u, v), window = hessians.at, hessians.preset.window
    click.echo(
        f"surface: note: {u:g},{v:g} is outside the window of slice {hessians.slice.name}, "
        f"{window.u0:g}:{window.u1:g},{window.v0:g}:{window.v1:g}",
        err=True,
    )


def _exchange(hessians: "Hessians", wanted: str | None, quiet: bool) -> "tuple[Exchanged, ...]":
    """The net with other transfer functions, or none where it is not wanted, saying why."""
    from surfacecli.hessians import EXCHANGING, choose_layers, count_work, exchange_transfers

    if wanted in ("spectra", "none"):
        return ()
    preset, why = hessians.preset, ""
    work = count_work(preset.objective, choose_layers(preset))
    if wanted is None and work > EXCHANGING:
        why = "the net is large; --figures all draws it all the same"
    exchanged = () if why else exchange_transfers(preset, hessians.network)
    if not exchanged and not why:
        why = "every layer is linear, there is no transfer function to exchange"
    if why and not quiet:
        click.echo(f"surface: no figure of curvature against depth: {why}", err=True)
    return exchanged


def _slice_of(preset: "Preset", name: str | None) -> "Slice | None":
    if name is None:
        return None
    from surfacecli.study import choose_slices

    return choose_slices(preset, name)[0]


def _draw(
    hessians: "Hessians", exchanged: "tuple[Exchanged, ...]", wanted: str | None, size: str
) -> "list[tuple[str, str, Figure]]":
    """The figures: for each the end of the file's name, and of its title."""
    from surfacecli.figures.theme import SHEETS

    drawn: list[tuple[str, str, Figure]] = []
    if wanted not in ("depth", "none"):
        from surfacecli.figures.spectra import draw_spectra
        from surfacecli.hessian_pictures import spectra_picture

        drawn.append(("hessian", "Hessians", draw_spectra(spectra_picture(hessians), SHEETS[size])))
    if exchanged:
        from surfacecli.figures.depth import draw_depth
        from surfacecli.hessian_pictures import depth_picture

        figure = draw_depth(depth_picture(hessians, exchanged), SHEETS[size])
        drawn.append(("depth", "curvature against depth", figure))
    return drawn


def _write(
    hessians: "Hessians",
    drawn: "list[tuple[str, str, Figure]]",
    size: str,
    file_format: str,
    output: str,
    force: bool,
) -> list[str]:
    """Write the figures; the files' names."""
    from pathlib import Path

    from surfacecli.figures import encode_figure
    from surfacecli.hessian_pictures import hessian_provenance
    from surfacecli.outputs import inside, write_file

    preset = hessians.preset
    stem = preset.name if hessians.slice is None else f"{preset.name}-{hessians.slice.name}"
    wide = "" if size == "page" else f"-{size}"
    provenance, files = hessian_provenance(hessians), []
    for what, words, figure in drawn:
        path = inside(Path(output), f"{stem}-{what}{wide}.{file_format}")
        content = encode_figure(figure, file_format, provenance, f"{preset.title}: {words}")
        write_file(path, content, force=force)
        files.append(path.as_posix())
    return files
