"""Where paths of descent start, where no one says so: spread over the window, or at random."""

from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.slices import Window
from surfacecli.network.model import random_stream

#: The stream of random numbers that starts are drawn from (see `network.model`).
STARTS_STREAM = 4
#: Starts keep this share of the window away from its border.
RIM = 0.04
#: Roberts (2018), "The unreasonable effectiveness of quasirandom sequences": the plastic number.
PLASTIC = 1.32471795724474602596


def spread_starts(window: Window, count: int) -> list[Vector]:
    """Starts spread evenly over a window, the same ones every time."""
    shares = [
        ((0.5 + k / PLASTIC) % 1.0, (0.5 + k / PLASTIC**2) % 1.0) for k in range(1, count + 1)
    ]
    return [_inside(window, *share) for share in shares]


def random_starts(window: Window, count: int, seed: int) -> list[Vector]:
    """Starts drawn from a seed, uniform over a window but its rim."""
    shares = random_stream(seed, STARTS_STREAM).uniform(size=(count, 2))
    return [_inside(window, u, v) for u, v in shares.tolist()]


def _inside(window: Window, u: float, v: float) -> Vector:
    u, v = (RIM + (1.0 - 2.0 * RIM) * share for share in (u, v))
    return (
        window.u0 + u * (window.u1 - window.u0),
        window.v0 + v * (window.v1 - window.v0),
    )
