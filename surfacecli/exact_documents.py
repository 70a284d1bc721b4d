"""What is known exactly as plain documents: what a grid misses, and the complex of cells."""

import json
from collections.abc import Iterable

from surfacecli.documents import Document, number, point_document
from surfacecli.exactly import Audited
from surfacecli.formats.mark import MARK
from surfacecli.geometry.complexes import FIELDS, flatten_complex
from surfacecli.geometry.exact.points import Exact
from surfacecli.geometry.missed import Claims
from surfacecli.outputs import json_text
from surfacecli.study import Study


def missed_document(audited: Audited) -> Document:
    """One slice of `audit --json`."""
    missed = audited.missed
    exact, differences = missed.exact, missed.differences
    unvisited = int(missed.unvisited.sum())
    lowest, proven = missed.lowest, exact.lowest
    n_v, n_u = missed.grid.error.shape
    return {
        "name": audited.slice.name,
        "kind": audited.slice.kind,
        "resolution": [n_u, n_v],
        "cells": len(exact.cells),
        "unvisited": {
            "cells": unvisited,
            "share": unvisited / len(exact.cells),
            "area": missed.unvisited_area,
        },
        "grid_points_on_kinks": int((missed.cell < 0).sum()),
        "shown": {kind: _claims_document(claims) for kind, claims in missed.claims.items()},
        "stationary_points": missed.showable,
        "unshown": [point_document(point) for point in missed.unshown],
        "lowest_grid_point": _place(lowest),
        "minimum": _place(proven),
        "gap": lowest[2] - proven[2],
        "difference_hessians": {
            "judged": differences.judged,
            "wrong": len(differences.places),
            "share": len(differences.places) / differences.judged if differences.judged else 0.0,
            "worst": _worst(audited),
        },
        "audit": {
            "sum": exact.audit.sum,
            "expected": exact.audit.expected,
            "complete": exact.audit.complete,
        },
    }


def _claims_document(claims: Claims) -> Document:
    false = ~claims.true
    return {
        "count": len(claims.true),
        "false": [
            {"u": u, "v": v, "error": error}
            for (u, v), error in zip(
                claims.places[false].tolist(), claims.error[false].tolist(), strict=True
            )
        ],
    }


def _place(place: tuple[float, float, float]) -> Document:
    return {"u": place[0], "v": place[1], "error": place[2]}


def _worst(audited: Audited) -> Document | None:
    differences = audited.missed.differences
    if not len(differences.claimed):
        return None
    k = int(differences.claimed.argmin())
    return {
        "u": float(differences.places[k, 0]),
        "v": float(differences.places[k, 1]),
        "claimed": number(float(differences.claimed[k])),
        "true": number(float(differences.true[k])),
    }


def audit_document(study: Study, audits: Iterable[tuple[Audited, str]]) -> Document:
    """The whole of `audit --json`: each slice with the file of its figure."""
    return {
        "preset": study.preset.name,
        "slices": [{**missed_document(audited), "file": file} for audited, file in audits],
    }


def complex_text(exact: Exact, provenance: Document) -> str:
    """Cells and points as JSON, one array a line, with what each of them holds under `fields`."""
    window = exact.cells.window
    arrays = flatten_complex(exact)
    document: Document = {
        "about": MARK,
        "provenance": provenance,
        "fields": {name: FIELDS[name] for name in arrays},
        "window": {"u": [window.u0, window.u1], "v": [window.v0, window.v1]},
        "points": [point_document(point) for point in (*exact.points, *exact.border)],
        **arrays,
    }
    lines = [
        # Through the plain values of `json_text`, then close together: a number a line is too long.
        f"{json.dumps(name)}: {json.dumps(json.loads(json_text(value)), separators=(',', ':'))}"
        for name, value in document.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"
