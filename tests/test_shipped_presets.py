"""The presets that ship: what each of them promises, found by a road of its own."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from oracles import central_gradient, forward_by_loops, slice_error_by_loops

from surfacecli.geometry.slices import Slice
from surfacecli.presets import Preset, load_preset, preset_path

FOLDER = preset_path("post").parent
GALLERY = sorted((FOLDER / "gallery").glob("*.yaml"))
FILES = sorted(FOLDER.glob("*.yaml")) + GALLERY


def slice_of(preset: str, name: str) -> Slice:
    return load_preset(preset).slices[name]


def on_circle(radius: float, count: int = 120) -> list[tuple[float, float]]:
    angles = [2 * math.pi * (k + 0.37) / count for k in range(count)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


# --- every preset ---

KINDS = {
    "post-linear": {"E1": "within-layer", "E2": "within-layer", "E12": "across-layers"},
    "leaky": {"E1": "within-layer", "E2": "within-layer", "E12": "across-layers"},
    "tanh": {"E1": "within-layer", "E2": "within-layer", "E12": "across-layers"},
    "mixed": {"all": "mixed"},
    "plateau": {"E1": "within-layer"},
    "deep": {"E1": "within-layer", "E3": "within-layer", "E13": "across-layers"},
    "iris": {
        "hidden": "within-layer",
        "output": "within-layer",
        "across": "across-layers",
        "all": "mixed",
    },
    "iris-hessian": {"hidden": "within-layer", "output": "within-layer", "uphill": "within-layer"},
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_slices(name: str) -> None:
    assert {n: s.kind for n, s in load_preset(name).slices.items()} == KINDS[name]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_each_file_says_what_it_shows_and_its_window_is_not_flat(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")
    assert max(map(len, text.splitlines())) <= 100
    preset = load_preset(path)
    for slice in preset.slices.values():
        errors = [error_at(slice, u, v) for u in (-0.4, 0.3) for v in (-0.2, 0.4)]
        assert np.isfinite(errors).all()
        u, v = preset.window.axes((7, 7))
        grid = [error_at(slice, a, b) for a in u for b in v]
        assert max(grid) > 1.02 * min(grid)


def test_gallery_names_are_no_names_of_presets() -> None:
    assert len(GALLERY) >= 6
    assert not {p.stem for p in GALLERY} & {p.stem for p in FOLDER.glob("*.yaml")}


def error_at(slice: Slice, u: float, v: float) -> float:
    """E at (u, v) by the plain forward pass of the network put there."""
    x, y = slice.objective.data.inputs, slice.objective.data.targets
    _, activations = slice.network_at(u, v).forward(x)
    return float(slice.objective.loss.value(activations[-1], y).sum())


# --- the nets of the post ---


@pytest.mark.parametrize("name", ["post-linear", "leaky"])
def test_same_net_as_post(name: str) -> None:
    post, other = load_preset("post"), load_preset(name)
    for theirs, ours in zip(
        post.objective.network.weights, other.objective.network.weights, strict=True
    ):
        np.testing.assert_array_equal(theirs, ours)
    np.testing.assert_array_equal(post.objective.data.targets, other.objective.data.targets)
    for slice in post.slices:
        for layer, direction in post.slices[slice].along_u.items():
            np.testing.assert_array_equal(direction, other.slices[slice].along_u[layer])
        for layer, direction in post.slices[slice].along_v.items():
            np.testing.assert_array_equal(direction, other.slices[slice].along_v[layer])


def test_linear_output_makes_e2_one_paraboloid() -> None:
    slice = slice_of("post-linear", "E2")
    points = [*on_circle(0.5, 7), *on_circle(0.2, 7)]
    u, v = np.array(points).T
    errors = np.array([slice_error_by_loops(slice, *point) for point in points])
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
    coefficients = np.linalg.lstsq(basis, errors, rcond=None)[0]
    np.testing.assert_allclose(basis @ coefficients, errors, rtol=1e-12)


# --- tanh: a smooth peak ---


def tanh_error(slice: Slice, u: complex, v: complex) -> complex:
    """E of a tanh net with linear output, analytic: complex points give exact derivatives."""
    _, W2 = slice.objective.network.weights
    W1 = slice.origin[1] + u * slice.along_u[1] + v * slice.along_v[1]
    output = np.tanh(slice.objective.data.inputs @ W1.T) @ W2.T
    return complex(np.square(output - slice.objective.data.targets).sum())


def tanh_gradient(slice: Slice, point: np.ndarray) -> np.ndarray:
    """By complex steps: no difference is taken, so no digit is lost."""
    u, v = point
    return (
        np.array([tanh_error(slice, u + 1e-30j, v).imag, tanh_error(slice, u, v + 1e-30j).imag])
        / 1e-30
    )


def test_tanh_has_a_smooth_strict_maximum_within_layer_1() -> None:
    preset = load_preset("tanh")
    slice = preset.slices["E1"]
    point = np.array([0.5, 0.1])
    for _ in range(8):
        nudges = 1e-5 * np.eye(2)
        hessian = np.array(
            [
                (tanh_gradient(slice, point + d) - tanh_gradient(slice, point - d)) / 2e-5
                for d in nudges
            ]
        )
        point = point - np.linalg.solve(hessian, tanh_gradient(slice, point))
    np.testing.assert_allclose(point, [0.5456, 0.1009], atol=1e-4)
    assert np.abs(tanh_gradient(slice, point)).max() < 1e-12
    assert np.linalg.eigvalsh(hessian).max() < -4
    top = slice_error_by_loops(slice, *point)
    assert top == pytest.approx(tanh_error(slice, *point).real, rel=1e-13)
    assert top == pytest.approx(4.8974, abs=1e-4)
    # Not a ripple: a circle of 1 around it, well inside the window, lies a good deal lower.
    around = [
        slice_error_by_loops(slice, point[0] + a, point[1] + b) for a, b in on_circle(1.0, 36)
    ]
    assert max(around) < top - 0.4
    assert max(abs(point)) + 1 < preset.window.u1


# --- mixed: the counterexample ---


def test_mixed_is_the_closed_form() -> None:
    slice = slice_of("mixed", "all")
    for u in np.linspace(-1.25, 1.25, 11):
        for v in np.linspace(-1.2, 1.1, 9):
            output = sum((1 + t) * (1 - t) if t > -1 else 0.0 for t in (u, v))
            expected = (output - 0.5) ** 2 / 2
            assert slice_error_by_loops(slice, u, v) == pytest.approx(expected, abs=1e-13)
    assert slice_error_by_loops(slice, 0, 0) == 1.125


# --- plateau ---


def plateau_error(u: float, v: float) -> float:
    """Three outputs max(|p| - 0.3, 0), p along 0, 60 and 120 degrees, each to be 0.8."""
    along = [math.cos(a) * u + math.sin(a) * v for a in (0, math.pi / 3, 2 * math.pi / 3)]
    return sum((0.8 - max(abs(p) - 0.3, 0.0)) ** 2 for p in along)


def test_plateau_is_the_closed_form() -> None:
    slice = slice_of("plateau", "E1")
    for u in np.linspace(-1.6, 1.6, 12):
        for v in np.linspace(-1.6, 1.5, 11):
            assert slice_error_by_loops(slice, u, v) == pytest.approx(
                plateau_error(u, v), rel=1e-12
            )


def test_plateau_is_flat_inside_and_lower_all_around() -> None:
    slice = slice_of("plateau", "E1")
    for radius in (0.0, 0.15, 0.2999):
        for u, v in on_circle(radius):
            assert slice_error_by_loops(slice, u, v) == pytest.approx(1.92, abs=1e-12)
            hidden = forward_by_loops(slice.network_at(u, v), [1.0])[1][1]
            assert hidden == [0.0] * 6
    # Its corners are 0.3 / cos 30 degrees from the middle: beyond them E is lower, on every side,
    # at once and by a slope that does not vanish.
    corner = 0.3 / math.cos(math.pi / 6)
    assert max(slice_error_by_loops(slice, *p) for p in on_circle(corner + 1e-3)) < 1.92 - 1e-5
    assert max(slice_error_by_loops(slice, *p) for p in on_circle(1.0)) < 1.92 / 2


def test_net_of_plateau_stands_at_a_lowest_point() -> None:
    slice = slice_of("plateau", "E1")
    W1 = slice.objective.network.weights[0]
    np.testing.assert_allclose(W1, slice.network_at(22 / 15, 0).weights[0], rtol=1e-15)
    gradient = central_gradient(lambda p: plateau_error(p[0], p[1]), [22 / 15, 0.0])
    assert np.abs(gradient).max() < 1e-9
    # (1.1 - u)^2 + 2 (1.1 - u/2)^2 at u = 22/15.
    lowest = 0.4033333333333
    assert slice.objective.error() == pytest.approx(lowest, rel=1e-12)
    ticks = np.linspace(-1.6, 1.6, 65)
    assert min(plateau_error(u, v) for u in ticks for v in ticks) >= lowest


# --- straight sections, the post's sketches ---


@pytest.mark.parametrize(
    ("preset", "start", "end"),
    [
        ("plateau", (0.0, -1.6), (0.0, 1.6)),
        ("tanh", (0.75, -2.19), (0.34, 2.39)),
    ],
)
def test_section_goes_down_up_down_up(
    preset: str, start: tuple[float, float], end: tuple[float, float]
) -> None:
    study = load_preset(preset)
    slice = study.slices["E1"]
    line = np.linspace(start, end, 201)
    assert line.min() >= study.window.u0
    assert line.max() <= study.window.u1
    slopes = np.diff([slice_error_by_loops(slice, u, v) for u, v in line])
    signs = np.where(np.abs(slopes) < 1e-12, 0, np.sign(slopes)).astype(int)
    turns = [signs[0], *(b for a, b in itertools.pairwise(signs) if a != b)]
    flat = [0] if preset == "plateau" else []
    assert turns == [-1, 1, *flat, -1, 1]


# --- the gallery ---


def gallery(name: str) -> Preset:
    return load_preset(FOLDER / "gallery" / f"{name}.yaml")


def spread(values: list[float]) -> float:
    return max(values) - min(values)


def test_narrow_net_has_a_plateau_that_leaky_relu_tilts() -> None:
    plateau = [(-2.2 + 0.1 * i, 0.3 + 0.1 * k) for i in range(4) for k in range(4)]
    errors: dict[str, list[float]] = {}
    for name in ("narrow", "narrow-leaky"):
        slice = gallery(name).slices["E1"]
        errors[name] = [slice_error_by_loops(slice, u, v) for u, v in plateau]
    dead = float(np.square(gallery("narrow").objective.data.targets).sum())
    assert errors["narrow"] == [pytest.approx(dead, rel=1e-12)] * 16
    assert spread(errors["narrow-leaky"]) > 0.05


def test_digits_know_nothing_at_the_origin() -> None:
    slice = gallery("digits").slices["E1"]
    assert slice_error_by_loops(slice, 0, 0) == pytest.approx(200 * math.log(2), rel=1e-12)


@pytest.mark.parametrize("name", ["E1", "E2"])
def test_hard_tanh_is_constant_far_out_on_a_ray(name: str) -> None:
    slice = gallery("hard-tanh").slices[name]
    for u, v in on_circle(1e4, 9):
        far, farther = (slice_error_by_loops(slice, k * u, k * v) for k in (1, 3))
        assert farther == pytest.approx(far, rel=1e-9)
    near, out = (slice_error_by_loops(slice, k, k) for k in (0.1, 0.4))
    assert abs(near - out) > 0.01


def highest_of_neighbours(error: Callable[[float, float], float], ticks: np.ndarray) -> int:
    """How many inner points of a grid lie above their eight neighbours."""
    E = np.array([[error(u, v) for u in ticks] for v in ticks])
    inner = E[1:-1, 1:-1]
    n = len(ticks)
    shifts = [(i, k) for i in range(3) for k in range(3) if (i, k) != (1, 1)]
    return int(np.all([inner > E[i : n - 2 + i, k : n - 2 + k] for i, k in shifts], axis=0).sum())


@pytest.mark.parametrize("name", ["E1", "E12"])
def test_six_layers_have_many_peaks(name: str) -> None:
    slice = gallery("six-layers").slices[name]
    ticks = np.linspace(-2, 2, 41)
    assert highest_of_neighbours(lambda u, v: error_at(slice, u, v), ticks) >= 12
