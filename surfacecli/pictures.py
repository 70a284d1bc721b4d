"""From results to pictures: the line of provenance, what a file's metadata holds, its name."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import matplotlib
import numpy as np

from surfacecli import __version__
from surfacecli.errors import SurfaceError
from surfacecli.figures import draw_surface, make_picture
from surfacecli.figures.picture import Picture, SectionPicture
from surfacecli.geometry.descent.path import Path
from surfacecli.geometry.section import Section
from surfacecli.geometry.slices import Slice
from surfacecli.presets import Preset
from surfacecli.study import Result, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    result: Result,
    style: str | None = None,
    fill: str = "error",
    size: str | None = None,
    paths: Sequence[Path] = (),
) -> "Figure":
    """A matplotlib figure of one result, in the style and the size of its study or in others.

    `size` is `page` or `column`, the width of a journal's. `paths` of descent are drawn in the
    styles `modern` and `cells`. Style `cells` fills the exact cells by `fill`: error, rank or
    active. Raises `SurfaceError` where it is asked for and the result is not exact.
    """
    style, size = style or result.study.style, size or result.study.size
    if style == "cells" and result.verdict.exact is None:
        raise SurfaceError(
            f"slice {result.slice.name} has no polygonal cells to draw; choose --style modern, or "
            "a slice within one layer of a piecewise-linear net"
        )
    return draw_surface(picture_of(result, style == "cells", paths), style, fill, size)


def picture_of(result: Result, cells: bool = False, paths: Sequence[Path] = ()) -> Picture:
    """What a figure of a result shows; `cells` for style cells, `paths` of descent."""
    study = result.study
    n_u, n_v = study.resolution
    line = f"{origin_line(study, result.slice)}, {n_u} x {n_v}"
    picture = make_picture(result.grid, result.verdict, study.preset.title, line, cells=cells)
    return replace(picture, paths=tuple(paths)) if paths else picture


def section_picture(study: Study, slice: Slice, section: Section) -> SectionPicture:
    """What a figure of a section shows."""
    return SectionPicture(
        title=study.preset.title,
        name=slice.name,
        section=section,
        start=(float(section.u[0]), float(section.v[0])),
        end=(float(section.u[-1]), float(section.v[-1])),
        provenance=origin_line(study, slice),
    )


def origin_line(study: Study, slice: Slice) -> str:
    """One line that says where a picture of a slice comes from."""
    return preset_line(study.preset, slice)


def preset_line(preset: Preset, slice: Slice | None = None) -> str:
    """One line that says which preset, slice of it and seeds a picture shows."""
    seeds = {what: seed for what, seed in preset.seeds.items() if "." not in what}
    drawn = ", ".join(f"{what} seed {seed}" for what, seed in seeds.items() if what != "directions")
    parts = [f"surface {__version__}: preset {preset.name}"]
    if slice is not None:
        parts += [f"slice {slice.name}", slice.note]
    return ", ".join(part for part in (*parts, drawn) if part)


def provenance_of(study: Study, *slices: Slice) -> dict[str, object]:
    """All that is needed to make a file of these slices again; no path of the machine."""
    window = study.window
    return {
        "preset": study.preset.name,
        "preset_text": study.preset.text,
        "slices": {
            s.name: {
                "note": s.note,
                "u_moves": sorted(s.along_u),
                "v_moves": sorted(s.along_v),
            }
            for s in slices
        },
        "seeds": study.preset.seeds,
        "window": {"u": [window.u0, window.u1], "v": [window.v0, window.v1]},
        "resolution": list(study.resolution),
        "style": study.style,
        "size": study.size,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """What a file was made with."""
    return {
        "surface": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "matplotlib": matplotlib.__version__,
    }


def file_name(study: Study, what: str, file_format: str) -> str:
    """PRESET-WHAT.png, with style and size in between where they are not the usual ones."""
    style = "" if study.style == "modern" else f"-{study.style}"
    return f"{study.preset.name}-{what}{style}{size_suffix(study)}.{file_format}"


def size_suffix(study: Study) -> str:
    """What a file's name says of the size of its figure: nothing where it is the usual one."""
    return "" if study.size == "page" else f"-{study.size}"
