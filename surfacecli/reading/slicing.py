"""The `slices` of a preset: which layers move, from where, in which directions."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from surfacecli.geometry.slices import Slice, filter_normalised, make_slice, slice_origin
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array
from surfacecli.reading import schema
from surfacecli.reading.ledger import Ledger
from surfacecli.reading.problems import KeyPath, in_words, shown_key, shown_path

#: The layers that u and v move, and the directions of each, by axis.
Moved = dict[str, list[int]]
Along = dict[str, dict[int, Array]]


def build_slices(
    specs: Mapping[str, schema.Slice],
    network: Network,
    objective: Objective | None,
    ledger: Ledger,
) -> dict[str, Slice]:
    """The slices that are in order, by name; without an objective they are only checked."""
    slices = {}
    for name, spec in specs.items():
        moved = _moved(spec, name, network, ledger)
        if moved is None:
            continue
        directions = spec.directions
        if directions.file is not None:
            along = _directions_of_file(directions.file, name, moved, network, ledger)
            words = f"directions from {Path(directions.file).name}"
        elif directions.hessian is not None or directions.u is not None:
            # Only here: the curvature takes a while to load.
            from surfacecli.reading.marked import marked_directions, marked_words, read_marked

            marked = read_marked(directions, ("slices", name, "directions"))
            along = None
            if objective is not None:
                along = marked_directions(marked, moved, objective, ledger)
            words = marked_words(marked)
        else:
            seed = ledger.draw(f"directions.{name}", directions.seed)
            if objective is not None:
                slices[name] = make_slice(
                    name, objective, moved["u"], moved["v"], spec.origin, seed, directions.scale
                )
            continue
        if objective is not None and along is not None:
            slices[name] = _slice_along(name, spec, objective, along, words)
    _join_seeds(ledger.seeds)
    return slices


def _moved(spec: schema.Slice, name: str, network: Network, ledger: Ledger) -> Moved | None:
    """The layers that move; None where one does not exist, or where the directions are too big."""
    path = ("slices", name)
    moved: Moved = {}
    before = len(ledger.problems)
    if spec.layer is not None:
        _check_layers(spec.layer, (*path, "layer"), network.depth, ledger)
        moved = {"u": [spec.layer], "v": [spec.layer]}
    elif spec.u is not None and spec.v is not None:
        for axis, layers in (("u", spec.u), ("v", spec.v)):
            _check_layers(layers, (*path, axis), network.depth, ledger)
            moved[axis] = [layers] if isinstance(layers, int) else layers
    if not moved or len(ledger.problems) > before:
        return None
    sizes = [network.weights[layer - 1].size for layers in moved.values() for layer in layers]
    return moved if ledger.afford(sum(sizes), path) else None


def _check_layers(layers: int | list[int], path: KeyPath, depth: int, ledger: Ledger) -> None:
    choice = in_words(range(1, depth + 1)) if depth <= 5 else f"1 to {depth}"
    if isinstance(layers, int):
        places = [(layers, path)]
    else:
        places = [(layer, (*path, position)) for position, layer in enumerate(layers)]
    seen: set[int] = set()
    for layer, place in places:
        if not 1 <= layer <= depth:
            ledger.note(place, f"{shown_key(str(layer))} is not a layer; choose {choice}")
        elif layer in seen:
            ledger.note(place, f"layer {layer} stands twice; once is enough")
        seen.add(layer)


def _directions_of_file(
    file_name: str, name: str, moved: Moved, network: Network, ledger: Ledger
) -> Along | None:
    """U and V of the moved layers, by axis and layer; None where the file does not fit."""
    path = ("slices", name, "directions", "file")
    file = ledger.folder / file_name
    arrays = ledger.arrays(file, r"[UV]\d+", path)
    if arrays is None:
        return None
    wanted = {f"{axis.upper()}{n}": (axis, n) for axis, layers in moved.items() for n in layers}
    missing = [key for key in wanted if key not in arrays.named]
    if missing:
        ledger.note(path, f"{shown_path(file)}: no {in_words(missing)}; {arrays.holds()}")
        return None
    along: Along = {"u": {}, "v": {}}
    for key, (axis, layer) in wanted.items():
        direction, shape = arrays.named[key], network.weights[layer - 1].shape
        if direction.shape != shape:
            what = f"{key} has shape {direction.shape}, W{layer} has {shape}"
        elif not np.isfinite(direction).all():
            what = f"{key} holds a number that is not finite"
        else:
            along[axis][layer] = direction
            continue
        ledger.note(path, f"{shown_path(file)}: {what}")
        return None
    return along


def _slice_along(
    name: str, spec: schema.Slice, objective: Objective, along: Along, words: str
) -> Slice:
    weights = objective.network.weights
    note = f"origin {spec.origin}, {words}"
    if spec.directions.scale == "filter":
        along = {
            axis: {n: filter_normalised(d, weights[n - 1]) for n, d in parts.items()}
            for axis, parts in along.items()
        }
        note += ", filter-normalised"
    return Slice(
        name=name,
        objective=objective,
        origin=slice_origin(objective.network, {*along["u"], *along["v"]}, spec.origin),
        along_u=along["u"],
        along_v=along["v"],
        note=note,
    )


def _join_seeds(seeds: dict[str, int]) -> None:
    """One entry 'directions' where all slices draw from the same seed."""
    drawn = [key for key in seeds if key.startswith("directions.")]
    if len({seeds[key] for key in drawn}) == 1:
        seeds["directions"] = seeds[drawn[0]]
        for key in drawn:
            del seeds[key]
