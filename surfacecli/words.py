"""Findings in few words, for tables, legends and messages."""

from collections import Counter
from collections.abc import Iterable

from surfacecli.geometry.stationary import StationaryPoint

_PLURALS = {"minimum": "minima", "maximum": "maxima", "saddle": "saddles", "shoulder": "shoulders"}
_SETS = {"valley": "valleys", "plateau": "plateaus"}


def theorem_words(applies: bool, holds: bool) -> str:
    """'applies, holds', 'applies, VIOLATED' or 'does not apply'."""
    if not applies:
        return "does not apply"
    return "applies, holds" if holds else "applies, VIOLATED"


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
