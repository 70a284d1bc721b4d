"""Findings in few words, for tables, legends and messages."""

from collections import Counter
from collections.abc import Iterable

from surfacecli.geometry.maps import LayerMap
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


_MAPS = {
    "curvature": "smallest eigenvalue of layer {}",
    "trace": "trace of layer {}",
    "rank": "rank of layer {}",
    "dead": "dead units of layer {}",
}


def map_words(layer_map: LayerMap) -> str:
    """'rank of layer 1 from 0 to 53, in every cell', or 'at every point' of a grid."""
    low, high = layer_map.range
    if layer_map.quantity == "dead":
        ends = f"{low:.0%}", f"{high:.0%}"
    else:
        ends = f"{low:.4g}", f"{high:.4g}"
    what = _MAPS[layer_map.quantity].format(layer_map.layer)
    values = f"from {ends[0]} to {ends[1]}" if ends[0] != ends[1] else ends[0]
    return f"{what} {values}, {'in every cell' if layer_map.exact else 'sampled'}"
