"""Directions of a slice that the error marks out: the gradient, eigenvectors of the Hessian."""

from dataclasses import dataclass

import numpy as np

from surfacecli.network.curvature.directions import (
    NoDirectionError,
    TopEigenvectors,
    gradient_direction,
    top_eigenvectors,
)
from surfacecli.network.data import Objective
from surfacecli.network.transfers import Array
from surfacecli.reading import schema
from surfacecli.reading.ledger import Ledger
from surfacecli.reading.problems import KeyPath, in_words
from surfacecli.reading.slicing import Along, Moved

#: Directions are one where the cosine between them is nearer to 1 than this.
SAME = 1e-9


@dataclass(frozen=True)
class Marked:
    """What one axis follows: eigenvector `number` of the Hessian, or None for the gradient.

    `path` leads to where the preset says so.
    """

    number: int | None
    path: KeyPath


def read_marked(directions: schema.Directions, path: KeyPath) -> dict[str, Marked]:
    """What u and v follow, by axis; where `hessian` stands, or both `u` and `v`."""
    if directions.hessian is not None:
        return {
            axis: Marked(number, (*path, "hessian", place))
            for place, (axis, number) in enumerate(zip("uv", directions.hessian, strict=True))
        }
    return {
        axis: Marked(None, (*path, axis))
        if not isinstance(source, schema.Eigenvector)
        else Marked(source.hessian, (*path, axis, "hessian"))
        for axis, source in (("u", directions.u), ("v", directions.v))
    }


def marked_words(marked: dict[str, Marked]) -> str:
    """'U along eigenvector 1 of the Hessian, V along the gradient'."""
    return ", ".join(
        f"{axis.upper()} along "
        + ("the gradient" if m.number is None else f"eigenvector {m.number} of the Hessian")
        for axis, m in marked.items()
    )


def marked_directions(
    marked: dict[str, Marked], moved: Moved, objective: Objective, ledger: Ledger
) -> Along | None:
    """U and V at the network's own weights, each of norm 1; None where the ledger says why."""
    failures: list[tuple[KeyPath, str]] = []
    tops: dict[int, TopEigenvectors] = {}
    along: Along = {}
    for axis, m in marked.items():
        layers = moved[axis]
        try:
            if m.number is None:
                along[axis] = gradient_direction(objective, layers)
                continue
            if len(layers) > 1:
                raise NoDirectionError("an eigenvector moves one layer; take the gradient here")
            layer = layers[0]
            if layer not in tops:
                numbers = [other.number or 0 for a, other in marked.items() if moved[a] == layers]
                tops[layer] = top_eigenvectors(objective, layer, max(numbers))
            along[axis] = {layer: tops[layer].direction(m.number)}
        except NoDirectionError as error:
            words = f"layer{'s' * (len(layers) > 1)} {in_words(layers, 'and')}"
            failures.append((m.path, f"{words}: {error}"))
    if len({words for _, words in failures}) < len(failures):  # both for one reason: said once
        (first, words), (second, _) = failures
        both = tuple(a for a, b in zip(first, second, strict=False) if a == b)
        failures = [(both, words)]
    for path, words in failures:
        ledger.note(path, words)
    if failures:
        return None
    if moved["u"] == moved["v"] and _cosine(along["u"], along["v"]) > 1.0 - SAME:
        ledger.note(marked["v"].path, "v comes out along u; a slice needs two directions")
        return None
    return along


def _cosine(a: dict[int, Array], b: dict[int, Array]) -> float:
    return abs(float(sum(np.vdot(a[layer], b[layer]) for layer in a)))
