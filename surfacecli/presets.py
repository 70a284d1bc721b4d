"""The door for presets: a YAML file becomes a network, its data and slices, or clear messages.

(In an installed package the shipped YAML files lie in a folder of the same name beside this
module; it has no `__init__.py`, and so the module wins on import.)
"""

from dataclasses import dataclass
from pathlib import Path

from surfacecli.errors import PresetError, SurfaceError
from surfacecli.geometry.slices import Slice, Window
from surfacecli.network.data import Objective
from surfacecli.reading.problems import KeyPath, Problem, print_problems
from surfacecli.reading.shipped import (
    NAME_RULE,
    is_safe_name,
    preset_path,
    read_text,
    shipped_presets,
)

__all__ = ["Preset", "load_preset", "preset_path", "shipped_presets"]


@dataclass(frozen=True, eq=False)
class Preset:
    """One study: an objective and the slices of its error surface.

    `name` is the file's stem and safe as a file name; `text` the YAML as read; `files` all that
    was read, the YAML first. `resolution` is (n_u, n_v), or None where the figure's style decides.
    `seeds` says what was drawn from which seed: 'weights', 'data', 'directions' (or one
    'directions.NAME' for each slice, where they differ).
    """

    name: str
    title: str
    text: str
    files: tuple[Path, ...]
    objective: Objective
    slices: dict[str, Slice]
    window: Window
    resolution: tuple[int, int] | None
    style: str
    size: str
    seeds: dict[str, int]


def load_preset(source: str | Path, seed: int | None = None) -> Preset:
    """The preset of a shipped name or a YAML file; `seed` replaces every seed in it.

    Raises `PresetError` with everything that is wrong, one line each, sorted by place.
    """
    # pydantic and yaml cost a fifth of a second together: only where a preset is read.
    from surfacecli.reading.yaml_marks import YamlError, read_yaml

    if seed is not None and not 0 <= seed < 2**63:
        raise SurfaceError(f"the seed is {seed}; it must be a whole number from 0 on")
    path = preset_path(source)
    text = read_text(path)
    try:
        document = read_yaml(text)
    except YamlError as error:
        raise PresetError(print_problems(path, [error.problem], {}, {})) from error
    problems = [*document.problems]
    if not is_safe_name(path.stem):
        problems.append(Problem(f"the file's name is no name for a preset; use {NAME_RULE}"))
    preset = _assemble(path, text, document.value, seed, problems)
    if preset is None:
        raise PresetError(print_problems(path, problems, document.marks, document.keys))
    return preset


def _assemble(
    path: Path, text: str, value: object, seed: int | None, problems: list[Problem]
) -> Preset | None:
    """The preset of a document, or None with the reasons added to `problems`."""
    from surfacecli.reading.datasets import build_data, build_objective
    from surfacecli.reading.explain import find_schema_problems
    from surfacecli.reading.ledger import Ledger
    from surfacecli.reading.networks import build_network
    from surfacecli.reading.rules import find_clashes
    from surfacecli.reading.schema import Preset as Spec
    from surfacecli.reading.slicing import build_slices

    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else "a single value"
        problems.append(Problem(f"{what} stands here; a preset is a mapping of keys to values"))
        return None
    problems += [*find_clashes(value), *find_schema_problems(value)]
    # What is left without the wrong keys is checked further, so that all comes out at once.
    spec = Spec.model_validate(_without(value, {_whole(problem.path) for problem in problems}))
    ledger = Ledger(path.parent, seed)
    network = build_network(spec.network, ledger) if spec.network is not None else None
    data = objective = None
    if spec.data is not None:
        data = build_data(spec.data, spec.loss, network, ledger)
    if spec.data is not None and network is not None and data is not None:
        objective = build_objective(spec.data, spec.loss, network, data, ledger)
    slices: dict[str, Slice] = {}
    if network is not None:
        slices = build_slices(spec.slices or {}, network, objective, ledger)
    problems += ledger.problems
    window = None
    try:
        window = Window(*spec.window.u, *spec.window.v)
    except ValueError as error:
        problems.append(Problem(str(error), ("window",)))
    if problems or objective is None or window is None:
        return None
    return Preset(
        name=path.stem,
        title=spec.title or path.stem,
        text=text,
        files=(path, *ledger.files),
        objective=objective,
        slices=slices,
        window=window,
        resolution=_both(spec.resolution),
        style=spec.figure.style,
        size=spec.figure.size,
        seeds=ledger.seeds,
    )


def _both(points: int | list[int] | None) -> tuple[int, int] | None:
    """(n_u, n_v) of one number or of two."""
    if points is None or isinstance(points, int):
        return None if points is None else (points, points)
    return points[0], points[1]


def _whole(path: KeyPath) -> KeyPath:
    """The path down to the first list: a list with one wrong entry is wrong as a whole."""
    positions = [at for at, part in enumerate(path) if isinstance(part, int)]
    return path[: positions[0]] if positions else path


def _without(value: dict[str, object], wrong: set[KeyPath], at: KeyPath = ()) -> dict[str, object]:
    """The mapping without the values at the wrong paths, at any depth.

    A mapping that has lost all that it held goes too: empty it would be wrong again.
    """
    left: dict[str, object] = {}
    for key, part in value.items():
        if (*at, key) in wrong:
            continue
        if isinstance(part, dict) and part:
            part = _without(part, wrong, (*at, key))
            if not part:
                continue
        left[key] = part
    return left
