"""Options that several commands share, each declared once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from surfacecli.cli.completion import complete_preset

if TYPE_CHECKING:
    from surfacecli.geometry.slices import Window
    from surfacecli.study import Study

    ParamType = click.ParamType[Any]
else:
    # Generic to the type checker alone: older versions of click cannot be subscripted.
    ParamType = click.ParamType

Command = TypeVar("Command", bound=Callable[..., Any])

#: The styles of figures; the first is the default of presets.
STYLES = ("modern", "post", "cells")
SIZES = ("page", "column")
FILLS = ("error", "rank", "active")
SHOWN = ("curvature", "trace", "rank", "dead")
METHODS = ("flow", "gradient", "newton", "gauss-newton")
FORMATS = ("png", "svg", "pdf")


class Resolution(ParamType):
    """N or NxM: points along u and along v."""

    name = "N|NxM"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,6})(?:[xX](\d{1,6}))?", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no resolution; say 101 or 201x101", param, ctx)
        n_u = int(match[1])
        n_v = int(match[2]) if match[2] else n_u
        if not (2 <= n_u <= 20000 and 2 <= n_v <= 20000):
            self.fail(f"{value!r}: a grid has 2 to 20000 points along each axis", param, ctx)
        return n_u, n_v


class WindowType(ParamType):
    """U0:U1,V0:V1, or U0:U1 for both axes."""

    name = "U0:U1,V0:V1"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Window":
        from surfacecli.geometry.slices import Window

        if isinstance(value, Window):
            return value
        axes = str(value).split(",")
        try:
            bounds = [[float(bound) for bound in axis.split(":")] for axis in axes]
            if len(bounds) == 1:
                bounds *= 2
            (u0, u1), (v0, v1) = bounds
        except ValueError:
            self.fail(f"{value!r} is no window; say -1:1,-0.5:2 or -1:1 for both", param, ctx)
        try:
            return Window(u0, u1, v0, v1)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Point(ParamType):
    """U,V: a point of a slice."""

    name = "U,V"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            u, v = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no point; say -0.5,1", param, ctx)
        return u, v


class Methods(ParamType):
    """Methods of descent, one or several with commas between them."""

    name = "METHOD[,METHOD]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        methods = tuple(dict.fromkeys(part.strip() for part in str(value).split(",")))
        for method in methods:
            if method not in METHODS:
                self.fail(f"{method!r} is no method; choose {', '.join(METHODS)}", param, ctx)
        return methods


def preset_argument(command: Command) -> Command:
    return click.argument("preset", default="post", shell_complete=complete_preset)(command)


def _together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


slice_options = _together(
    click.option("--layer", type=click.IntRange(min=1), help="The slices within layer N."),
    click.option("--cross-layer", is_flag=True, help="The slices across two layers."),
    click.option("--slice", "slice_name", metavar="NAME", help="The slice of that name."),
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), help="Draw everything anew from this seed."
)
grid_options = _together(
    click.option(
        "--resolution", type=Resolution(), help="Points along u and v, as 101 or 201x101."
    ),
    click.option("--window", type=WindowType(), help="Part of the slice, as -1:1,-1:1."),
    seed_option,
)
budget_option = click.option(
    "--budget",
    type=click.IntRange(min=1),
    metavar="CELLS",
    help="Most cells to find exactly (default 100000).",
)
method_options = _together(
    click.option(
        "--method",
        type=click.Choice(["exact", "sampled"]),
        help="How stationary points are found; exact where it can be.",
    ),
    budget_option,
)
descent_options = _together(
    click.option(
        "--descend",
        type=Methods(),
        is_flag=False,
        flag_value="flow",
        help="Draw paths of descent: flow (without a value), gradient, newton or gauss-newton, "
        "several with commas.",
    ),
    click.option(
        "--start",
        "starts",
        type=Point(),
        multiple=True,
        help="Where a path starts; repeat it for more. Default: 6 places over the window.",
    ),
    click.option(
        "--starts",
        "start_count",
        type=click.IntRange(1, 1000),
        metavar="N",
        help="N random starts, drawn from --seed.",
    ),
    click.option(
        "--step",
        type=click.FloatRange(min=0.0, min_open=True),
        metavar="SIZE",
        help="Size of gradient steps (default: 1 / the largest eigenvalue of the Hessian).",
    ),
)
style_option = click.option(
    "--style",
    type=click.Choice(STYLES),
    help="modern; post, the look of the originals; or cells, the exact cells from above.",
)
size_option = click.option(
    "--size",
    type=click.Choice(SIZES),
    help="page, 7.1 in wide; or column, 3.5 in wide, for one column of a journal.",
)
fill_option = click.option(
    "--fill",
    type=click.Choice(FILLS),
    default="error",
    show_default=True,
    help="What fills the cells of style cells: E, the rank of its Hessian, or active units.",
)
show_options = _together(
    click.option(
        "--show",
        type=click.Choice(SHOWN),
        help="A map of a layer's Hessian instead: its smallest eigenvalue (curvature), trace or "
        "rank, or the share of dead units.",
    ),
    click.option(
        "--of",
        "of_layer",
        type=click.IntRange(min=1),
        metavar="LAYER",
        help="The layer that --show is about; default: the lowest that moves.",
    ),
)
format_option = click.option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    default="png",
    show_default=True,
    help="File format of the figures.",
)


def _note_folder(ctx: click.Context, _param: click.Parameter, folder: str) -> str:
    """Say at the end where the files went, where the folder has the name of a picture."""

    def note() -> None:
        path = Path(folder)
        if path.is_dir() and not ctx.params.get("quiet"):
            click.echo(f"surface: note: --output is a folder, the files are in {folder}/", err=True)

    if Path(folder).suffix.lower().removeprefix(".") in FORMATS and not ctx.resilient_parsing:
        ctx.call_on_close(note)
    return folder


output_option = click.option(
    "--output",
    type=click.Path(file_okay=True),
    default="outputs",
    show_default=True,
    help="Folder for the files; made where it is missing.",
    callback=_note_folder,
)
force_option = click.option(
    "--force", is_flag=True, help="Overwrite files that surface did not make."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No messages, only results.")


def study_of(
    preset: str,
    *,
    seed: int | None = None,
    slice_name: str | None = None,
    layer: int | None = None,
    cross_layer: bool = False,
    window: "Window | None" = None,
    resolution: tuple[int, int] | None = None,
    style: str | None = None,
    method: str | None = None,
    budget: int | None = None,
    size: str | None = None,
    quiet: bool = False,
) -> "Study":
    """The study that a command's options describe; says what takes long before it starts."""
    if sum((slice_name is not None, layer is not None, cross_layer)) > 1:
        raise click.UsageError("give one of --layer, --cross-layer and --slice, not several")
    from surfacecli.study import make_study

    study = make_study(
        preset,
        seed=seed,
        slice_name=slice_name,
        layer=layer,
        cross_layer=cross_layer,
        window=window,
        resolution=resolution,
        style=style,
        method=method,
        budget=budget,
        size=size,
    )
    for message in (*study.remarks, study.announcement()):
        if message and not quiet:
            click.echo(f"surface: {message}", err=True)
    return study
