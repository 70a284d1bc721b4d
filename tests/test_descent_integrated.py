"""Integrated flow: against the closed form, many small steps, and its parts by themselves."""

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice, random_points
from oracles import central_gradient, make_objective, make_slice_by_hand, random_slice

from surfacecli.geometry.descent.descend import descend, gradient_scale
from surfacecli.geometry.descent.exponential import exponential_step, phi_functions
from surfacecli.geometry.descent.outlook import Lookout
from surfacecli.geometry.descent.path import Path
from surfacecli.geometry.descent.pieces import Pieces
from surfacecli.geometry.exact.points import examine_cells
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import differentiate, differentiate_units, evaluate
from surfacecli.presets import load_preset


def falls(path: Path) -> bool:
    return bool((np.diff(path.error) <= 1e-13 * abs(path.error[0])).all())


# The parts


def test_phi_functions_by_integrals() -> None:
    """phi_k(z) = integral over s in [0, 1] of exp((1 - s) z) s^(k - 1) / (k - 1)!."""
    z = np.array([-300.0, -3.0, -1.0, -0.999, -1e-3, 0.0, 1e-8, 0.5, 2.0])
    s, weights = np.polynomial.legendre.leggauss(200)
    s, weights = 0.5 * (s + 1.0), 0.5 * weights
    for k, factorial in ((1, 1), (2, 1), (3, 2), (4, 6)):
        integrand = np.exp(np.outer(z, 1.0 - s)) * s ** (k - 1) / factorial
        np.testing.assert_allclose(phi_functions(z)[k - 1], integrand @ weights, rtol=1e-11)


def test_a_step_of_the_flow_is_exact_for_quadratics_and_of_order_four() -> None:
    hessian = np.array([[300.0, 20.0], [20.0, 2.0]])
    place, lowest = np.array([1.0, -2.0]), np.array([0.3, 0.4])
    moved, off = exponential_step(
        place, hessian @ (place - lowest), hessian, lambda y: hessian @ (y - lowest), 0.7
    )
    values, vectors = np.linalg.eigh(hessian)
    decay = vectors @ np.diag(np.exp(-0.7 * values)) @ vectors.T
    np.testing.assert_allclose(moved, lowest + decay @ (place - lowest), atol=1e-13)
    assert off < 1e-12

    # x' = -x^3 by itself: x(t) = x0 / sqrt(1 + 2 x0^2 t).
    def error_of(time: float) -> float:
        x0 = np.array([1.0, 0.0])
        moved, _ = exponential_step(
            x0, x0**3, np.diag(3.0 * x0**2), lambda y: np.asarray(y**3), time
        )
        return abs(float(moved[0]) - 1.0 / np.sqrt(1.0 + 2.0 * time))

    assert error_of(0.1) / error_of(0.05) == pytest.approx(2.0**5, rel=0.35)


@pytest.mark.parametrize("kind", ["within-layer", "across-layers", "mixed"])
def test_frozen_pieces_are_e_in_their_cell(kind: str) -> None:
    rng = np.random.default_rng(11)
    for _ in range(8):
        slice = random_slice(rng, kind)  # type: ignore[arg-type]
        pieces = Pieces(slice)
        for place in rng.uniform(-1.0, 1.0, size=(3, 2)):
            (pattern,) = pieces.patterns(place[None])
            near = place + 1e-9 * rng.normal(size=(4, 2))
            frozen, true = pieces.differentiate(pattern, near), differentiate(slice, *near.T)
            np.testing.assert_allclose(frozen.error, true.error, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(frozen.gradient, true.gradient, rtol=1e-9, atol=1e-10)
            far = place + rng.normal(size=(6, 2))
            margins = pieces.margins(pattern, far)
            here = pieces.patterns(far)
            # Units that lie on a node all over, behind dead ones, are on either side of it.
            clear = (margins.values != 0).all(axis=(0, 2))
            inside = (margins.values > 0).all(axis=2)[:, clear].all(axis=1)
            assert ((here == pattern)[:, clear].all(axis=1) == inside).all()


def test_units_against_differences() -> None:
    rng = np.random.default_rng(3)
    for kind in ("within-layer", "across-layers", "mixed"):
        slice = random_slice(rng, kind)  # type: ignore[arg-type]
        at = rng.uniform(-1.0, 1.0, size=2)
        for layer, (h, h_u, h_v) in enumerate(differentiate_units(slice, *at)):

            def value(x: np.ndarray, slice: Slice = slice, layer: int = layer) -> float:
                return float(np.sin(differentiate_units(slice, *x)[layer][0]).sum())

            parts = [0.0 if part is None else part for part in (h_u, h_v)]
            expected = [float((np.cos(h) * part).sum()) for part in parts]
            np.testing.assert_allclose(central_gradient(value, at), expected, atol=1e-6)


def test_the_outlook_on_a_crossing() -> None:
    """E = (|u| + 1)^2 + (|v| - 1)^2: four quadrants meet at 0, two halves on an axis."""
    objective = make_objective([np.eye(2)], ["abs"], np.eye(2), [[-1, 0], [0, 1]])
    slice = make_slice_by_hand(objective, {1: [[1, 0], [0, 0]]}, {1: [[0, 0], [0, 1]]})
    window = Window(-2, 2, -2, 2)
    lookout = Lookout(Pieces(slice), window, gradient_scale(slice, window))
    at_zero = lookout.look((0.0, 0.0))
    signs = {tuple(np.sign(sector.gradient)) for sector in at_zero.sectors}
    assert signs == {(1, -1), (-1, -1), (-1, 1), (1, 1)}
    for sector in at_zero.sectors:
        assert sorted(np.abs(sector.start)) == pytest.approx([0.0, 1.0], abs=1e-15)
        assert np.cross([*sector.start, 0], [*sector.end, 0])[2] == pytest.approx(1.0)
    on_axis = lookout.look((0.0, 0.5))
    assert len(on_axis.sectors) == 2
    assert on_axis.steepest.direction == pytest.approx((0.0, 1.0), abs=1e-15)
    assert on_axis.steepest.ray is not None
    (inside,) = lookout.look((0.3, 0.5)).sectors
    assert inside.gradient == pytest.approx((2.6, -1.0))


# Whole paths


def compare(slice: Slice, starts: list[tuple[float, float]]) -> int:
    """Hold integrated paths against exact ones; gives how many kinks they met."""
    exact = examine_cells(slice, WINDOW)
    met = 0
    for known, path in zip(
        descend(slice, WINDOW, starts, exact=exact),
        descend(slice, WINDOW, starts, points=(*exact.points, *exact.border)),
        strict=True,
    ):
        assert known.exact
        assert not path.exact
        assert path.end.describe() == known.end.describe()
        assert (path.u[-1], path.v[-1]) == pytest.approx((known.u[-1], known.v[-1]), abs=1e-6)
        assert path.crossed == known.crossed
        assert falls(path)
        met += len(known.events)
    return met


def test_integrated_is_exact_where_both_are_known() -> None:
    met = 0
    for seed in (132, 146, 165, 180, 248):
        slice = random_exact_slice(seed, losses=False)
        met += compare(slice, [(u, v) for u, v in random_points(WINDOW, 2, seed).tolist()])
    assert met >= 28


@pytest.mark.slow
def test_integrated_is_exact_where_both_are_known_on_many_nets() -> None:
    for seed in range(100, 250):
        slice = random_exact_slice(seed, losses=False)
        compare(slice, [(u, v) for u, v in random_points(WINDOW, 3, seed).tolist()])


def small_steps(slice: Slice, start: tuple[float, float], time: float, steps: int) -> np.ndarray:
    """Euler's method, which takes kinks as they come."""
    x = np.array([start])
    for _ in range(steps):
        x = x - time / steps * differentiate(slice, x[:, 0], x[:, 1]).gradient
    return x[0]


@pytest.mark.parametrize(
    ("preset", "name", "start", "time"),
    [
        ("tanh", "E1", (-1.35, -2.37), 3.0),
        pytest.param("deep", "E13", (0.6, -0.4), 0.03, marks=pytest.mark.slow),
        ("post", "E12", (-0.415, 0.2775), 0.05),
        ("mixed", "all", (-0.56, -0.98), 1.5),
        pytest.param("iris", "hidden", (0.24, -0.27), 0.0005, marks=pytest.mark.slow),
    ],
)
def test_paths_against_many_small_steps(
    preset: str, name: str, start: tuple[float, float], time: float
) -> None:
    loaded = load_preset(preset)
    slice = loaded.slices[name]
    (path,) = descend(slice, loaded.window, [start])
    assert falls(path)
    assert path.time[-2] > time
    there = [np.interp(time, path.time[:-1], part[:-1]) for part in (path.u, path.v)]
    length = np.hypot(path.u[-1] - start[0], path.v[-1] - start[1])
    assert np.hypot(there[0] - start[0], there[1] - start[1]) > 0.05 * length
    off = np.abs(small_steps(slice, start, time, 300) - there).max()
    assert off < 0.02 * length


@pytest.mark.parametrize("seed", [0, 4, 12])
def test_convex_losses_end_on_exact_points(seed: int) -> None:
    """Cross entropy and logistic loss have exact cells and points, but no closed form."""
    seeds = (s for s in range(400) if random_exact_slice(s).objective.loss.scale is None)
    chosen = list(seeds)[seed]
    slice = random_exact_slice(chosen)
    exact = examine_cells(slice, WINDOW)
    starts = [(u, v) for u, v in random_points(WINDOW, 2, seed).tolist()]
    for path in descend(slice, WINDOW, starts, exact=exact):
        assert not path.exact
        assert falls(path)
        np.testing.assert_allclose(path.error, evaluate(slice, path.u, path.v), rtol=1e-9)
        assert path.end.reason == "border" or path.end.point in (*exact.points, *exact.border)


def test_a_curved_kink_is_followed() -> None:
    """Across layers E = (|1 + u v| + 1)^2 + (u / 4 + v / 2)^2: to u v = -1 and along it."""
    objective = make_objective(
        [[[1.0], [0.0], [1.0]], [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]],
        ["identity", "abs"],
        [[1.0]],
        [[-1.0, 0.0]],
        biases=[[0.0, 1.0, 0.0], None],
    )
    # Hidden: (u, 1, u); outputs: v u + 1, and u / 4 + ... moved through the second row.
    slice = make_slice_by_hand(
        objective, {1: [[1.0], [0.0], [0.0]]}, {2: [[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]]}, "zero"
    )
    slice = Slice(
        slice.name,
        slice.objective,
        {1: slice.origin[1], 2: np.array([[0.0, 1.0, 0.0], [0.25, 0.0, 0.0]])},
        slice.along_u,
        slice.along_v,
    )
    window = Window(-4, 4, -4, 4)
    (path,) = descend(slice, window, [(2.0, -1.5)])
    slide = next(event for event in path.events if event.kind == "slide")
    assert np.abs(path.u[slide.at :] * path.v[slide.at :] + 1.0).max() < 1e-9
    assert falls(path)
    # On the kink E = 1 + (|u / 4| ... ) is lowest where its slope along u v = -1 is 0.
    u = np.linspace(0.2, 4.0, 200_001)
    on_kink = evaluate(slice, u[::200], -1.0 / u[::200])
    assert path.error[-1] <= on_kink.min() + 1e-6
