"""Findings in few words, for tables, legends and messages."""

from collections import Counter
from collections.abc import Iterable

from surfacecli.geometry.completeness import SampledAudit
from surfacecli.geometry.stationary import StationaryPoint

_PLURALS = {"minimum": "minima", "maximum": "maxima", "saddle": "saddles", "shoulder": "shoulders"}
_SETS = {"valley": "valleys", "ridge": "ridges", "plateau": "plateaus"}


def sampled_audit_words(audit: SampledAudit) -> str:
    """What the sum of a sampled search's indices tells: evidence, or that points are missing."""
    total = f"the indices sum to {audit.sum} of {audit.expected}"
    border = "" if audit.border_exact else ", the border sampled too"
    if audit.agrees:
        return f"{total}{border}: nothing is seen to be missing, which is evidence and no proof"
    where = "where is not known"
    if audit.boxes:
        first = audit.boxes[0]
        where = f"look in u = {first.u0:.4g}:{first.u1:.4g}, v = {first.v0:.4g}:{first.v1:.4g}"
        more = len(audit.boxes) - 1
        where += f" and {more} more box{'es' * (more != 1)}" if more else ""
    if audit.sum == audit.expected:
        fault = "a point is missing or false, and what lies near makes up for it"
    else:
        fault = "points are missing"
    return f"{total}{border}: NOT COMPLETE, {fault}; {where}"


def theorem_words(applies: bool, holds: bool) -> str:
    """'applies, holds', 'applies, VIOLATED' or 'does not apply'."""
    if not applies:
        return "does not apply"
    return "applies, holds" if holds else "applies, VIOLATED"


def method_words(method: str, complete: bool) -> str:
    """'exact', 'exact, NOT COMPLETE' where the audit failed, or 'sampled'."""
    return method if complete or method != "exact" else f"{method}, NOT COMPLETE"


def plural(description: str, count: int) -> str:
    """'3 smooth minima' from 'smooth minimum' and 3."""
    if count == 1:
        return f"1 {description}"
    words = [_SETS.get(word, _PLURALS.get(word, word)) for word in description.split(" ")]
    return f"{count} {' '.join(words)}"


def count_words(points: Iterable[StationaryPoint]) -> str:
    """'1 kinked maximum, 4 maxima on the border', most unusual kinds first as they are met."""
    counts = Counter(point.describe() for point in points)
    return ", ".join(plural(what, count) for what, count in sorted(counts.items()))
