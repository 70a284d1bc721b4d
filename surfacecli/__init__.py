"""Error surfaces of small neural nets over two-dimensional slices of their weight space.

    import surfacecli
    study = surfacecli.make_study("post")
    result = study.examine(study.preset.slices["E1"])
    surfacecli.draw(result).savefig("E1.png")

Names are loaded when they are first used: importing the package alone costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surfacecli.errors import PresetError, SurfaceError
    from surfacecli.geometry.claim import Verdict, give_verdict
    from surfacecli.geometry.descent.descend import descend
    from surfacecli.geometry.grids import Grid, sample_grid
    from surfacecli.geometry.maps import LayerMap, map_layer
    from surfacecli.geometry.search import search
    from surfacecli.geometry.section import Section, take_section
    from surfacecli.geometry.slices import Slice, Window, make_slice
    from surfacecli.geometry.stationary import StationaryPoint
    from surfacecli.geometry.surface import differentiate, evaluate
    from surfacecli.network.curvature import (
        LayerCurvature,
        examine_layers,
        full_hessian,
        layer_hessian,
    )
    from surfacecli.network.data import Data, Objective
    from surfacecli.network.model import Network
    from surfacecli.pictures import draw
    from surfacecli.presets import Preset, load_preset
    from surfacecli.study import Result, Study, make_study

__version__ = "0.1.0"

_HOMES = {
    "Data": "network.data",
    "Grid": "geometry.grids",
    "LayerCurvature": "network.curvature",
    "LayerMap": "geometry.maps",
    "Network": "network.model",
    "Objective": "network.data",
    "Preset": "presets",
    "PresetError": "errors",
    "Result": "study",
    "Section": "geometry.section",
    "Slice": "geometry.slices",
    "StationaryPoint": "geometry.stationary",
    "Study": "study",
    "SurfaceError": "errors",
    "Verdict": "geometry.claim",
    "Window": "geometry.slices",
    "descend": "geometry.descent.descend",
    "differentiate": "geometry.surface",
    "draw": "pictures",
    "evaluate": "geometry.surface",
    "examine_layers": "network.curvature",
    "full_hessian": "network.curvature",
    "give_verdict": "geometry.claim",
    "layer_hessian": "network.curvature",
    "load_preset": "presets",
    "make_slice": "geometry.slices",
    "make_study": "study",
    "map_layer": "geometry.maps",
    "sample_grid": "geometry.grids",
    "search": "geometry.search",
    "take_section": "geometry.section",
}

__all__ = [
    "Data",
    "Grid",
    "LayerCurvature",
    "LayerMap",
    "Network",
    "Objective",
    "Preset",
    "PresetError",
    "Result",
    "Section",
    "Slice",
    "StationaryPoint",
    "Study",
    "SurfaceError",
    "Verdict",
    "Window",
    "__version__",
    "descend",
    "differentiate",
    "draw",
    "evaluate",
    "examine_layers",
    "full_hessian",
    "give_verdict",
    "layer_hessian",
    "load_preset",
    "make_slice",
    "make_study",
    "map_layer",
    "sample_grid",
    "search",
    "take_section",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'surfacecli' has no attribute {name!r}")
    return getattr(import_module(f"surfacecli.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
