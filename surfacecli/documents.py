"""Results as plain documents: the JSON that scripts rely on. Keys may be added, none changes."""

import math
from collections.abc import Iterable, Mapping

from surfacecli.geometry.claim import Place, Verdict
from surfacecli.geometry.descent.path import Path
from surfacecli.geometry.layer_shares import LayerShares
from surfacecli.geometry.section import Section
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.study import Result, Study
from surfacecli.words import sampled_audit_words

Document = dict[str, object]


def number(value: float) -> float | None:
    """A number as JSON knows it: null where it is not finite."""
    return value if math.isfinite(value) else None


def point_document(point: StationaryPoint) -> Document:
    """A stationary point: u, v, error, kind, support, smooth, index, and what is known besides."""
    return {
        "u": point.u,
        "v": point.v,
        "error": point.error,
        "kind": point.kind,
        "support": point.support,
        "smooth": point.smooth,
        "index": point.index,
        "residual": point.residual,
        "eigenvalues": None if point.eigenvalues is None else list(point.eigenvalues),
        "downhill": None if point.downhill is None else list(point.downhill),
        "extent": None if point.extent is None else list(point.extent),
        "area": point.area,
        "outline": [[list(a), list(b)] for a, b in point.outline],
        "kinks": [
            {"layer": layer, "unit": unit, "sample": sample} for layer, unit, sample in point.kinks
        ],
    }


def place_document(place: Place, value: str) -> Document:
    return {"u": number(place.u), "v": number(place.v), value: number(place.value)}


def _triple(place: tuple[float, float, float]) -> Document:
    return {"u": place[0], "v": place[1], "error": place[2]}


def _audit_document(verdict: Verdict) -> Document:
    """`complete` is a proof, which a sampled search has not; `agrees`, `sum_agrees` are evidence.

    A sum may agree although the audit does not: where boxes are wrong, or cells disputed. `fault`
    says in words what is wrong.
    """
    exact, sampled = verdict.audit, verdict.sampled_audit
    audit = exact or sampled
    document: Document = {
        "sum": None if audit is None else audit.sum,
        "expected": 1,
        "disputed": None if exact is None else exact.disputed,
        "complete": verdict.complete,
        "sum_agrees": None if audit is None else audit.sum == audit.expected,
        "agrees": None if audit is None else not verdict.fault,
        "fault": verdict.fault or None,
    }
    if exact is None and sampled is not None:
        document |= {
            "evidence": sampled_audit_words(sampled),
            "border_exact": sampled.border_exact,
            "rounds": sampled.rounds,
            "judged_boxes": sampled.judged,
            "wrong_boxes": [{"u": [b.u0, b.u1], "v": [b.v0, b.v1]} for b in sampled.boxes],
        }
    return document


def _explanation(shares: LayerShares) -> Document:
    """Why a smooth maximum of a mixed slice is no contradiction, layer by layer."""
    return {
        "u": shares.u,
        "v": shares.v,
        "hessian": shares.hessian.tolist(),
        "own_blocks": {str(layer): own.tolist() for layer, own in shares.own.items()},
        "across_blocks": shares.across.tolist(),
        "full_trace": shares.full_trace,
        "words": shares.describe(),
    }


def verdict_document(result: Result) -> Document:
    """One slice of `check-maxima --json`."""
    verdict, window = result.verdict, result.study.window
    solved = verdict.solved
    return {
        "name": result.slice.name,
        "kind": result.slice.kind,
        "claim": {
            "applies": verdict.claim.applies,
            "holds": verdict.claim.holds,
            "reason": verdict.claim.reason,
        },
        "method": verdict.method,
        "cells": None if solved is None else len(solved.cells),
        "smallest_eigenvalue": number(verdict.smallest_eigenvalue.value),
        "smallest_eigenvalue_at": place_document(verdict.smallest_eigenvalue, "value"),
        "smallest_diagonal": number(verdict.smallest_diagonal.value),
        "hessians": verdict.hessians,
        "smooth_saddles": len(verdict.smooth_saddles),
        "stationary_points": [point_document(p) for p in verdict.points],
        "border": [point_document(p) for p in verdict.border],
        "minimum": place_document(verdict.lowest, "error"),
        "maximum": None if solved is None else _triple(solved.highest),
        "audit": _audit_document(verdict),
        "explanations": [_explanation(shares) for shares in verdict.explanations],
        "window": {"u": [window.u0, window.u1], "v": [window.v0, window.v1]},
        "resolution": list(result.study.resolution),
        "grid": result.grid.way,
    }


def check_document(
    study: Study,
    results: Iterable[Result],
    plane_cells: Mapping[str, int] | None = None,
    more: Mapping[str, Document] | None = None,
) -> Document:
    """The whole of `check-maxima --json`; `plane_cells` by slice where they were asked for.

    `more` holds further keys of slices, by name.
    """
    slices = [verdict_document(result) for result in results]
    for slice in slices:
        slice.update((more or {}).get(str(slice["name"]), {}))
        if plane_cells and slice["name"] in plane_cells:
            slice["plane_cells"] = plane_cells[str(slice["name"])]
    return {"preset": study.preset.name, "slices": slices}


def path_document(path: Path) -> Document:
    """One path of descent of `plot --json`: why and where it ended, its points, what happened."""
    end = path.end.point
    return {
        "method": path.method,
        "exact": path.exact,
        "start": {"u": path.u[0], "v": path.v[0], "error": path.error[0]},
        "end": {
            "u": path.u[-1],
            "v": path.v[-1],
            "error": path.error[-1],
            "reason": path.end.reason,
            "what": path.end.describe(),
            "point": None if end is None else point_document(end),
        },
        "kinks_crossed": path.crossed,
        "kinks_followed": path.slides,
        "events": [{"kind": event.kind, "point": event.at} for event in path.events],
        "u": path.u,
        "v": path.v,
        "error": path.error,
        "time": path.time,
    }


def section_document(slice: Slice, line: Section) -> Document:
    """One slice of `section --json`: the line's points, E on them, and its kinks."""
    return {
        "name": slice.name,
        "u": line.u,
        "v": line.v,
        "t": line.t,
        "error": line.error,
        "exact": line.exact,
        "kinks": [
            {"t": t, "error": error, "turn": turn}
            for t, error, turn in zip(
                line.kinks.tolist(),
                line.kink_errors.tolist(),
                line.kink_turns.tolist(),
                strict=True,
            )
        ],
    }
