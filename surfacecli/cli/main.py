"""The group, its own options, and the one place where an error becomes a message and a status."""

import errno
import gc
import os
import sys

import click

from surfacecli.cli.audit import audit
from surfacecli.cli.batch import batch
from surfacecli.cli.check_maxima import check_maxima
from surfacecli.cli.completion_script import completion
from surfacecli.cli.export import export
from surfacecli.cli.hessian import hessian
from surfacecli.cli.plot import plot
from surfacecli.cli.presets import presets
from surfacecli.cli.section import section
from surfacecli.errors import ChoiceError, SurfaceError
from surfacecli.threads import pin_blas_threads


class Group(click.Group):
    """A group that prints a `SurfaceError` as one message, with status 1 and no traceback.

    With status 2, that of wrong usage, where an option asks for what the preset does not have.
    """

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SurfaceError as error:
            for line in str(error).splitlines():
                click.echo(f"surface: {line}", err=True)
            ctx.exit(2 if isinstance(error, ChoiceError) else 1)
        except OSError as error:
            # Standard output on a full disk, say; a closed pipe is click's to end quietly.
            if error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
                raise
            click.echo(f"surface: cannot write the results: {error.strerror}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("\nsurface: interrupted", err=True)
            ctx.exit(130)


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"surface {version('surfacecli')}")
    click.echo(
        f"python {sys.version.split()[0]}, numpy {version('numpy')}, "
        f"matplotlib {version('matplotlib')}"
    )
    ctx.exit()


def _threads(ctx: click.Context, _param: click.Parameter, threads: int | None) -> None:
    if threads is not None and not ctx.resilient_parsing:
        pin_blas_threads(threads)


def _no_color(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        os.environ["NO_COLOR"] = "1"


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the versions of surface and of what it computes with.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    is_eager=True,
    expose_value=False,
    callback=_threads,
    help="Threads for matrix products (default 1: faster here, and the same bits every time).",
)
@click.option(
    "--no-color",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_no_color,
    help="No colour, like the environment variable NO_COLOR.",
)
def surface() -> None:
    """See the error surface of a small neural net, and trust what you see.

    Takes a two-dimensional slice of the weight space of a small feedforward net, computes the
    error over it, marks the stationary points and draws the figures. A PRESET is the name of a
    shipped study (`surface presets list`) or the path of a YAML file; without one, `post`.
    """


def main() -> None:
    """Entry point of the `surface` script and of `python -m surfacecli`."""
    # Importing and drawing make many objects and little garbage: look for it less often.
    gc.set_threshold(100_000, 20, 20)
    surface(prog_name="surface", auto_envvar_prefix="SURFACE")


surface.add_command(plot)
surface.add_command(section)
surface.add_command(check_maxima)
surface.add_command(audit)
surface.add_command(batch)
surface.add_command(completion)
surface.add_command(export)
surface.add_command(hessian)
surface.add_command(presets)
