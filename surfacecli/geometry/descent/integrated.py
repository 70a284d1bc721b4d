"""The path of gradient flow by integration: other losses, several layers, smooth nets.

Between kinks E is followed with every unit kept on its piece (`between`). A kink that both sides
push back to is followed as a curve (`sliding`), for the flow has no choice there; what it does on a
kink is decided as on exact cells (`steepest`).
"""

from surfacecli.geometry.descent.between import follow_pattern
from surfacecli.geometry.descent.outlook import Lookout
from surfacecli.geometry.descent.path import End, Path
from surfacecli.geometry.descent.pieces import Pattern
from surfacecli.geometry.descent.sliding import slide
from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.descent.trail import Trail
from surfacecli.geometry.slices import Window

#: A place so near to the border of the window, relative to it, is on it.
ON_BORDER = 1e-12


def integrate_flow(lookout: Lookout, window: Window, start: Vector) -> Path:
    """The path of steepest descent from a start inside the window."""
    trail = Trail(lookout, window)
    here = lookout.look(start)
    trail.add(start, here.error, 0.0)
    pattern: Pattern | None = None  # of the piece that the path comes from
    sliding = False
    while trail.end is None and not trail.full:
        steepest = here.steepest
        if steepest is None:
            trail.end = End("stationary")
            break
        if _leaves(window, here.place, steepest.direction):
            trail.end = End("border")
            break
        if steepest.choices > 1:
            trail.say("choice")
        if steepest.sector is None:
            if not sliding:
                trail.say("slide")
            sliding, pattern = True, None
            slide(trail, here)
        else:
            following = here.patterns[steepest.sector]
            if sliding:
                trail.say("leave")
            elif pattern is not None and (following != pattern).any():
                trail.say("cross")
            sliding, pattern = False, following
            follow_pattern(trail, here.place, following)
        if trail.end is None:
            here = lookout.look(trail.places[-1])
    return trail.path()


def _leaves(window: Window, place: Vector, direction: Vector) -> bool:
    """Whether a direction leads out of the window from a place on its border."""
    near = ON_BORDER * window.longer_side
    return (
        (place[0] <= window.u0 + near and direction[0] < 0)
        or (place[0] >= window.u1 - near and direction[0] > 0)
        or (place[1] <= window.v0 + near and direction[1] < 0)
        or (place[1] >= window.v1 - near and direction[1] > 0)
    )
