"""Findings in few words, for tables, legends and messages."""

from collections import Counter
from collections.abc import Iterable

from surfacecli.geometry.claim import audit_fault
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
    return f"{total}{border}: {incomplete_words(audit_fault(audit))}; {where}"


def incomplete_words(fault: str) -> str:
    """'NOT COMPLETE, points are missing': that an audit failed, and why (see `audit_fault`)."""
    return f"NOT COMPLETE, {fault}"


def audited_words(found: str, fault: str) -> str:
    """What was found, and that the audit of it failed where it did."""
    return f"{found}; audit: {incomplete_words(fault)}" if fault else found


def theorem_words(applies: bool, holds: bool) -> str:
    """'applies, holds', 'applies, VIOLATED' or 'does not apply'."""
    if not applies:
        return "does not apply"
    return "applies, holds" if holds else "applies, VIOLATED"


def method_words(method: str, fault: str) -> str:
    """'exact' or 'sampled', with ', NOT COMPLETE' where the audit failed."""
    return f"{method}, NOT COMPLETE" if fault else method


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
