"""`surface hessian`, and what check-maxima quotes of it, as a user types them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from surfacecli import hessians as module
from surfacecli.figures import read_provenance
from surfacecli.hessians import examine_hessians
from surfacecli.network.curvature import layer_hessian
from surfacecli.presets import load_preset

TINY = """
title: A small net
network: {widths: [2, 3, 1], weights: {seed: 1}, transfer: [TRANSFER, identity], biases: true}
data: {samples: 3, seed: 2}
slices:
  E1: {layer: 1, origin: weights}
  E12: {u: 1, v: 2}
window: {u: [-1, 2], v: [-1.5, 1]}
resolution: [13, 9]
"""


@pytest.fixture(autouse=True)
def presets(tmp_path: Path) -> None:
    for name, transfer in (("tiny", "relu"), ("bent", "tanh"), ("linear", "identity")):
        (tmp_path / f"{name}.yaml").write_text(TINY.replace("TRANSFER", transfer))


def rows(result: Result) -> list[list[str]]:
    """The lines of the tables as words."""
    return [line.split() for line in result.stdout.splitlines()]


def test_the_document(run):
    document = json.loads(run("hessian", "tiny.yaml", "--json").stdout)
    assert set(document) >= {"preset", "layers", "full"}
    assert document["preset"] == "tiny"
    assert document["at"] is None
    objective = load_preset("tiny.yaml").objective
    total = 0.0
    for layer in document["layers"]:
        values = np.linalg.eigvalsh(layer_hessian(objective, layer["layer"]))
        assert layer["size"] == len(values)
        assert layer["rank"] == (np.abs(values) > 1e-12 * values[-1]).sum()
        assert layer["rank_bounds"] == [layer["rank"]] * 2
        assert layer["zero_share"] == pytest.approx(1 - layer["rank"] / layer["size"])
        assert layer["smallest_eigenvalue"] == pytest.approx(values[0], abs=1e-12)
        assert layer["largest_eigenvalue"] == pytest.approx(values[-1])
        assert layer["trace"] == pytest.approx(values.sum())
        assert layer["psd"] is True
        assert layer["reason"] == "D = 0 and the loss is convex"
        assert layer["gauss_newton"]["difference"] == 0
        assert layer["gauss_newton"]["trace"] == layer["trace"]
        assert layer["on_node"] == 0
        total += layer["trace"]
    assert [layer["layer"] for layer in document["layers"]] == [1, 2]
    assert [layer["transfer"] for layer in document["layers"]] == ["relu", "identity"]
    first, second = (layer["units"] for layer in document["layers"])
    assert first["dead"] + first["mixed"] + first["active"] == 3
    assert second == {"dead": 0, "mixed": 0, "active": 1, "smooth": 0, "slope_zero_share": 0.0}
    inner = document["layers"][1]["pre_activations"]
    assert (inner["size"], inner["rank"], inner["trace"]) == (3, 3, 6.0)
    full = document["full"]
    assert full["trace"] == pytest.approx(total)
    assert full["size"] == len(full["eigenvalues"]) == 9
    assert full["negative_eigenvalues"] == (np.array(full["eigenvalues"]) < -1e-9).sum() > 0
    assert full["smallest_eigenvalue"] == full["eigenvalues"][0] < 0
    exchanged = {other["transfer"]: other["layers"] for other in document["exchanged"]}
    assert list(exchanged) == ["relu", "leaky_relu", "tanh"]
    for mine, other in zip(document["layers"], exchanged["relu"], strict=True):
        assert mine["pre_activations"].pop("one_sided") is False
        assert other == {key: mine[key] for key in other}
    assert document["figures"] == ["outputs/tiny-hessian.png", "outputs/tiny-depth.png"]
    for file in document["figures"]:
        assert Path(file).read_bytes().startswith(b"\x89PNG")


def test_the_tables_say_the_same(run):
    arguments = ("hessian", "tiny.yaml", "--figures", "none")
    document = json.loads(run(*arguments, "--json").stdout)
    result = run(*arguments)
    found = rows(result)
    for layer in document["layers"]:
        row = next(r for r in found if r[:2] == [str(layer["layer"]), "weights"])
        assert row[2:4] == [f"{layer['size']}", f"{layer['rank']}"]
        assert row[4] == f"{layer['zero_share']:.0%}"
        assert row[6:] == [
            f"{layer['largest_eigenvalue']:.4g}",
            f"{layer['trace']:.6g}",
            "yes",
            "0",
        ]
        # What is rounding of 0 is written as 0.
        if layer["rank"] < layer["size"]:
            assert row[5] == "0"
    row = next(r for r in found if r[:1] == ["all"] and r[1:2] == ["weights"])
    assert row[-1] == "no"
    text = result.stdout
    assert "layers 1, 2: positive semi-definite, because D = 0 and the loss is convex." in text
    full = document["full"]
    assert f"{full['negative_eigenvalues']} of 9 eigenvalues are negative" in text
    assert f"beside a trace of {full['trace']:.6g}, the sum of the layers' traces" in text
    assert result.stderr == ""


def test_a_bent_net_is_not_positive(run):
    document = json.loads(run("hessian", "bent.yaml", "--figures", "none", "--json").stdout)
    first, second = document["layers"]
    assert first["psd"] is False
    assert first["smallest_eigenvalue"] < 0
    assert first["gauss_newton"]["difference"] > 0
    assert first["gauss_newton"]["psd"] is True
    assert second["psd"] is True
    assert first["units"] == {
        "dead": 0,
        "mixed": 0,
        "active": 0,
        "smooth": 3,
        "slope_zero_share": 0.0,
    }
    text = run("hessian", "bent.yaml", "--figures", "none").stdout
    assert "layer 1: not positive semi-definite, because the transfer functions bend" in text
    assert "layer 2: positive semi-definite, because D = 0 and the loss is convex." in text
    assert "which may be negative" in text


def test_one_layer_at_a_point_of_a_slice(run):
    arguments = ("hessian", "tiny.yaml", "--layer", "2", "--slice", "E1", "--at", "0.4,-0.3")
    document = json.loads(run(*arguments, "--figures", "spectra", "--json").stdout)
    assert document["at"] == {"slice": "E1", "u": 0.4, "v": -0.3, "in_window": True}
    (layer,) = document["layers"]
    preset = load_preset("tiny.yaml")
    network = preset.slices["E1"].network_at(0.4, -0.3)
    H = layer_hessian(preset.objective, 2, network)
    assert layer["layer"] == 2
    assert layer["trace"] == pytest.approx(np.trace(H))
    assert layer["trace"] != pytest.approx(np.trace(layer_hessian(preset.objective, 2)))
    assert document["figures"] == ["outputs/tiny-E1-hessian.png"]
    provenance = read_provenance(Path(document["figures"][0]))
    assert provenance["at"] == {"slice": "E1", "u": 0.4, "v": -0.3}
    assert provenance["layers"] == [2]
    assert "at u = 0.4, v = -0.3 of slice E1" in run(*arguments, "--figures", "none").stdout


def test_a_point_on_a_node_is_said(run):
    arguments = ("hessian", "tiny.yaml", "--slice", "E12", "--at", "0,0", "--figures", "none")
    text = re.sub(r"\s+", " ", run(*arguments).stdout)
    # W1 = 0 and the biases are not: no h is on a node, though W2 = 0 leaves no curvature.
    assert "not smooth here" not in text
    assert "one-sided" not in text
    Path("bare.yaml").write_text(Path("tiny.yaml").read_text().replace("biases: true", ""))
    result = run("hessian", "bare.yaml", *arguments[2:])
    assert result.stdout.startswith(
        "not smooth here: 9 pairs of data point and unit on a node, where the slope to its left "
        "counts.\nThe Hessian is one-sided over the weights of layer 1 and of all layers together, "
        "and over the pre-activations of layer 1: on the other side"
    )
    # The output layer is linear: its Hessian has both sides.
    sides = [r[-2:] if r[0] in ("1", "2") else r[-1:] for r in rows(result) if "weights" in r[1:3]]
    assert sides == [["one-sided", "0"], ["yes", "0"], ["one-sided"]]
    assert "layer 1: one-sided, and on that side positive semi-definite" in result.stdout
    assert "layer 2: positive semi-definite" in result.stdout
    assert "all layers: one-sided, and on that side 0 of 9" in result.stdout
    document = json.loads(run("hessian", "bare.yaml", *arguments[2:], "--json").stdout)
    assert [layer["one_sided"] for layer in document["layers"]] == [True, False]
    inner = [layer["pre_activations"]["one_sided"] for layer in document["layers"]]
    assert inner == [True, False]
    assert document["full"]["one_sided"] is True
    assert json.loads(run(*arguments, "--json").stdout)["full"]["one_sided"] is False


def test_a_point_outside_the_window_is_noted(run):
    arguments = ("hessian", "tiny.yaml", "--slice", "E1", "--at", "2.5,0", "--figures", "none")
    assert run(*arguments).stderr == (
        "surface: note: 2.5,0 is outside the window of slice E1, -1:2,-1.5:1\n"
    )
    assert run(*arguments, "-q").stderr == ""
    assert json.loads(run(*arguments, "--json").stdout)["at"]["in_window"] is False
    assert run(*arguments[:5], "2,-1.5", *arguments[6:]).stderr == ""


def test_which_figures(run, tmp_path, monkeypatch):
    def written(preset: str, *options: str) -> list[str]:
        result = run("hessian", preset, *options, "--output", "-".join(("out", *options)))
        names = re.findall(r"^wrote out\S*/(\S+)\.png$", result.stdout, re.M)
        return [*names, *result.stderr.splitlines()]

    with monkeypatch.context() as patch:
        patch.setattr(module, "EXCHANGING", 0.0)
        assert written("tiny.yaml") == [
            "tiny-hessian",
            "surface: no figure of curvature against depth: "
            "the net is large; --figures all draws it all the same",
        ]
        assert written("tiny.yaml", "--figures", "all") == ["tiny-hessian", "tiny-depth"]
    assert written("tiny.yaml", "--figures", "depth") == ["tiny-depth"]
    assert written("linear.yaml", "--figures", "depth") == [
        "surface: no figure of curvature against depth: "
        "every layer is linear, there is no transfer function to exchange"
    ]
    assert written("linear.yaml", "--figures", "depth", "-q") == []
    assert written("tiny.yaml", "--figures", "none") == []
    assert not (tmp_path / "out---figures-none").exists()


def test_what_takes_long_is_announced(run, monkeypatch):
    monkeypatch.setattr(module, "PER_SECOND", 1e-3)
    monkeypatch.setattr(module, "FULL", 5)
    result = run("hessian", "tiny.yaml", "--figures", "none")
    assert "surface: large layers, about" in result.stderr
    assert "9 weights, eigenvalues are found up to" in result.stdout
    assert run("hessian", "tiny.yaml", "--figures", "none", "-q").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--at", "1"), 2, "'1' is no point; say -0.5,1"),
        (("--at", "0,0"), 2, "--slice and --at belong together"),
        (("--slice", "E1"), 2, "--slice and --at belong together"),
        (("--layer", "0"), 2, "--layer"),
        (("--layer", "3"), 2, "3 is not a layer of tiny; choose 1 to 2"),
        (("--slice", "E9", "--at", "0,0"), 2, "tiny has no slice 'E9'; it has E1, E12"),
        (("--slice", "E1", "--at", "nan,0"), 1, "the point nan,0 is not finite"),
        (("--slice", "E1", "--at", "1e300,0"), 1, "choose smaller weights or data"),
        (("--format", "gif"), 2, "gif"),
    ],
)
def test_wrong_use_is_one_message(run, tmp_path, arguments, status, words):
    result = run("hessian", "tiny.yaml", *arguments, status=status)
    assert words in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_figures_hold_their_making(run, tmp_path, suffix):
    for folder in ("a", "b"):
        run("hessian", "tiny.yaml", "--figures", "depth", "--format", suffix, "--output", folder)
    name = f"tiny-depth.{suffix}"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    provenance = read_provenance(tmp_path / "a" / name)
    assert provenance["preset_text"] == (tmp_path / "tiny.yaml").read_text()
    assert str(tmp_path) not in json.dumps(provenance)


def test_files_of_others_are_kept(run, tmp_path):
    (tmp_path / "outputs").mkdir()
    foreign = tmp_path / "outputs" / "tiny-depth.png"
    foreign.write_bytes(b"mine")
    assert (
        "was not made by surface"
        in run("hessian", "tiny.yaml", "--figures", "depth", status=1).stderr
    )
    assert foreign.read_bytes() == b"mine"
    run("hessian", "tiny.yaml", "--figures", "depth", "--force")
    assert foreign.read_bytes() != b"mine"


def test_the_seed_changes_the_net(run):
    def trace(*options: str) -> float:
        document = json.loads(
            run("hessian", "tiny.yaml", "--figures", "none", "--json", *options).stdout
        )
        return document["full"]["trace"]

    assert trace() == trace()
    assert trace("--seed", "9") != trace()


# check-maxima


def test_check_maxima_quotes_layer_hessians(run):
    document = json.loads(run("check-maxima", "post", "--slice", "E1", "--json").stdout)
    (slice,) = document["slices"]
    smooth = [point for point in slice["stationary_points"] if point["eigenvalues"]]
    quoted = slice["layer_hessians"]
    assert [(q["u"], q["v"], q["kind"]) for q in quoted] == [
        (p["u"], p["v"], p["kind"]) for p in smooth
    ]
    assert slice["layer_hessians_left_out"] == 0
    preset = load_preset("post")
    for quote in quoted[:2]:
        found = examine_hessians(preset, None, preset.slices["E1"], (quote["u"], quote["v"]))
        (layer,) = quote["layers"]
        assert layer["layer"] == 1
        assert layer["trace"] == pytest.approx(found.layers[0].trace)
        assert layer["rank"] == found.layers[0].rank.low
        assert layer["psd"] is True
        assert quote["full"]["trace"] == pytest.approx(sum(n.trace for n in found.layers))
    assert slice["full_trace"]["never_negative"] is True
    assert "no smooth maximum anywhere" in slice["full_trace"]["reason"]


def test_check_maxima_says_it_in_a_table(run):
    result = run("check-maxima", "tanh", "--slice", "E1")
    (peak,) = [r for r in rows(result) if r[:5] == ["E1", "2", "smooth", "maxima", "1"]]
    assert peak[5:8] == ["10", "of", "10"]
    assert float(peak[8]) < 0
    assert "these may be negative: tanh bends." in result.stdout
    assert "no smooth maximum anywhere" in run("check-maxima", "mixed").stdout


def test_check_maxima_where_there_is_nothing_to_quote(run, monkeypatch):
    monkeypatch.setattr(module, "QUOTING", 0.0)
    text = run("check-maxima", "tanh", "--slice", "E2").stdout
    assert "E2: at 1 point more the layers are too large to quote." in text
    document = json.loads(run("check-maxima", "tanh", "--slice", "E2", "--json").stdout)
    assert document["slices"][0]["layer_hessians"] == []
    assert document["slices"][0]["layer_hessians_left_out"] == 1
