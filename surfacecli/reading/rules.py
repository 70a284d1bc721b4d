"""Which keys of a preset need or exclude each other.

Read off the plain document, apart from the schema, so that one mistake does not hide the others.
What is no mapping where one belongs is the schema's to refuse.
"""

from collections.abc import Iterator, Mapping, Sequence

from surfacecli.reading.problems import KeyPath, Problem, in_words

_NEEDED = {
    "network": "{widths: [10, 10, 10]}",
    "data": "{samples: 10}",
    "slices": "{E1: {layer: 1}}",
}


def find_clashes(document: Mapping[str, object]) -> list[Problem]:
    """Keys that are missing, and keys that cannot stand together."""
    return [
        *_missing(document),
        *_in_network(document.get("network")),
        *_in_data(document.get("data")),
        *_in_window(document.get("window")),
        *_in_slices(document.get("slices")),
        *_nulls(document, ()),
    ]


def _nulls(value: object, path: KeyPath) -> Iterator[Problem]:
    if value is None:
        yield Problem("nothing stands here; leave the key out or give a value", path)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _nulls(part, (*path, key))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from _nulls(part, (*path, position))


def _missing(document: Mapping[str, object]) -> Iterator[Problem]:
    missing = [f"{key}: {example}" for key, example in _NEEDED.items() if key not in document]
    if missing:
        yield Problem(f"missing here: {in_words(missing, 'and')} (or what you need)")


def _in_network(network: object) -> Iterator[Problem]:
    if not isinstance(network, dict):
        return
    weights = network.get("weights")
    from_file = isinstance(weights, dict) and "file" in weights
    if "widths" not in network and not from_file:
        yield Problem(
            "a network needs widths: [inputs, hidden ..., outputs], or weights: {file: net.npz}",
            ("network",),
        )
    yield from _one_source(weights, ("seed", "file"), ("network", "weights"))


def _one_source(value: object, sources: Sequence[str], path: KeyPath) -> Iterator[Problem]:
    present = [key for key in sources if key in value] if isinstance(value, dict) else []
    if len(present) > 1:
        yield Problem(f"{in_words(present, 'and')} exclude each other; keep one", path)


def _in_data(data: object) -> Iterator[Problem]:
    if not isinstance(data, dict):
        return
    sources = [key for key in ("samples", "file", "bundled") if key in data]
    if not sources:
        yield Problem(
            "data need samples: N (drawn), file: data.npz, or bundled: NAME (ships with surface)",
            ("data",),
        )
    elif len(sources) > 1:
        yield Problem(f"{in_words(sources, 'and')} exclude each other; keep one", ("data",))
    elif "seed" in data and sources != ["samples"]:
        yield Problem(f"data of a {sources[0]} need no seed; leave it out", ("data", "seed"))


def _in_window(window: object) -> Iterator[Problem]:
    if not isinstance(window, dict):
        return
    for axis in ("u", "v"):
        match window.get(axis):
            case [int() | float() as low, int() | float() as high] if low >= high:
                yield Problem(
                    f"the upper bound {high:g} must exceed the lower bound {low:g}",
                    ("window", axis),
                )


def _in_slices(slices: object) -> Iterator[Problem]:
    if not isinstance(slices, dict):
        return
    for name, piece in slices.items():
        if not isinstance(piece, dict):
            continue
        path: KeyPath = ("slices", name)
        axes = [key for key in ("u", "v") if key in piece]
        if "layer" in piece and axes:
            yield Problem(
                f"layer and {in_words(axes, 'and')} exclude each other; keep layer (within one "
                "layer) or both u and v (across layers, or mixed)",
                path,
            )
        elif "layer" not in piece and not axes:
            yield Problem(
                "which layer moves? Give layer: 1 (within a layer), or u: 1 and v: 2", path
            )
        elif len(axes) == 1:
            other = "v" if axes == ["u"] else "u"
            yield Problem(f"{axes[0]} alone is no slice; give {other} too, or layer instead", path)
        yield from _in_directions(piece.get("directions"), (*path, "directions"))


def _in_directions(directions: object, path: KeyPath) -> Iterator[Problem]:
    if not isinstance(directions, dict):
        return
    axes = [key for key in ("u", "v") if key in directions]
    sources = ("seed", "file", "hessian", *axes[:1])
    yield from _one_source(directions, sources, path)
    if len(axes) == 1:
        other = "v" if axes == ["u"] else "u"
        yield Problem(f"{axes[0]} alone leaves {other} open; give {other} too", path)
    if directions.get("scale") == "gaussian" and "seed" not in directions:
        for key, are in (
            ("file", "of a file are taken as they are"),
            ("hessian", "of the Hessian have norm 1"),
            ("u", "of the gradient and the Hessian have norm 1"),
        ):
            if key in directions:
                yield Problem(
                    f"directions {are}; leave scale out or write filter", (*path, "scale")
                )
