"""The commands as a user types them: results, messages, exit status, nothing half done."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from surfacecli.cli import surface

TINY = """
network: {widths: [2, 3, 1], weights: {seed: 1}}
data: {samples: 3, seed: 2}
slices:
  E1: {layer: 1}
  E12: {u: 1, v: 2}
resolution: 9
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(TINY)
    return "tiny.yaml"


# plot


def test_plot_writes_one_figure_per_slice(run, tiny, tmp_path):
    result = run("plot", tiny)
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        "wrote outputs/tiny-E1.png",
        "wrote outputs/tiny-E12.png",
    ]
    for name in ("tiny-E1.png", "tiny-E12.png"):
        assert (tmp_path / "outputs" / name).read_bytes().startswith(b"\x89PNG")


def test_plot_chooses_slices(run, tiny, tmp_path):
    run("plot", tiny, "--layer", "1", "--output", "a")
    run("plot", tiny, "--cross-layer", "--output", "b")
    run("plot", tiny, "--slice", "E12", "--output", "c")
    names = {folder: os.listdir(tmp_path / folder) for folder in "abc"}
    assert names == {"a": ["tiny-E1.png"], "b": ["tiny-E12.png"], "c": ["tiny-E12.png"]}


def test_plot_makes_the_slice_that_a_preset_lacks(run, tiny):
    result = run("plot", tiny, "--layer", "2", "--json")
    assert "tiny has no slice within layer 2" in result.stderr
    (figure,) = json.loads(result.stdout)["figures"]
    assert figure["kind"] == "within-layer"
    assert figure["file"] == "outputs/tiny-layer2.png"


@pytest.mark.parametrize(
    ("file_format", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_formats_and_styles(run, tiny, tmp_path, file_format, start):
    for style, name in (("modern", "tiny-E1"), ("post", "tiny-E1-post")):
        run("plot", tiny, "--slice", "E1", "--format", file_format, "--style", style)
        assert (tmp_path / "outputs" / f"{name}.{file_format}").read_bytes().startswith(start)


def test_same_preset_same_bytes(run, tiny, tmp_path):
    run("plot", tiny, "--slice", "E1")
    first = (tmp_path / "outputs" / "tiny-E1.png").read_bytes()
    run("plot", tiny, "--slice", "E1")
    assert (tmp_path / "outputs" / "tiny-E1.png").read_bytes() == first


def test_files_of_others_are_kept(run, tiny, tmp_path):
    (tmp_path / "outputs").mkdir()
    mine = tmp_path / "outputs" / "tiny-E1.png"
    mine.write_bytes(b"my holiday")
    result = run("plot", tiny, "--slice", "E1", status=1)
    assert "tiny-E1.png" in result.stderr
    assert mine.read_bytes() == b"my holiday"
    run("plot", tiny, "--slice", "E1", "--force")
    assert mine.read_bytes().startswith(b"\x89PNG")


def test_panel(run, tiny, tmp_path):
    result = run("plot", tiny, "--panel")
    assert result.stdout == "wrote outputs/tiny-panel.png: E1, E12\n"
    assert os.listdir(tmp_path / "outputs") == ["tiny-panel.png"]


def test_a_panel_of_too_many_slices_is_refused_before_the_work(run, tiny, tmp_path):
    text = (tmp_path / "tiny.yaml").read_text()
    start = text.index("slices:")
    more = "".join(f"  S{n}: {{layer: 1, directions: {{seed: {n}}}}}\n" for n in range(5))
    many = tmp_path / "many.yaml"
    many.write_text(text[:start] + "slices:\n" + more + text[text.index("\n", start) + 1 :])
    result = run("plot", str(many), "--panel", "--size", "column", status=1)
    assert (
        "a panel of size column holds 4 slices, and many has 7; leave out --panel, or say --size"
        in (result.stderr)
    )
    assert not (tmp_path / "outputs").exists()


def width_of(file) -> float:
    """Inches, as a PNG says them: pixels by pixels a metre."""
    content = file.read_bytes()
    at = content.index(b"pHYs")
    return int.from_bytes(content[16:20]) / int.from_bytes(content[at + 4 : at + 8]) / 0.0254


def test_the_size_is_an_option_and_a_key(run, tiny, tmp_path):
    run("plot", tiny, "--slice", "E1", "--size", "column")
    run("section", tiny, "--slice", "E1", "--size", "column")
    run("audit", tiny, "--slice", "E1", "--size", "column")
    (tmp_path / "narrow.yaml").write_text(
        (tmp_path / "tiny.yaml").read_text() + "figure: {size: column}\n"
    )
    run("plot", "narrow.yaml", "--slice", "E1")
    run("plot", "narrow.yaml", "--slice", "E1", "--size", "page")
    widths = {file.name: width_of(file) for file in (tmp_path / "outputs").iterdir()}
    assert widths == {
        "tiny-E1-column.png": pytest.approx(3.5, abs=0.01),
        "tiny-E1-section-column.png": pytest.approx(3.5, abs=0.01),
        "tiny-E1-audit-column.png": pytest.approx(3.5, abs=0.01),
        "narrow-E1-column.png": pytest.approx(3.5, abs=0.01),
        "narrow-E1.png": pytest.approx(7.1, abs=0.01),
    }


def test_the_seed_changes_the_surface(run, tiny):
    def lowest(*options: str) -> float:
        document = json.loads(run("plot", tiny, "--slice", "E1", "--json", *options).stdout)
        return document["figures"][0]["minimum"]["error"]

    assert lowest() == lowest()
    assert lowest("--seed", "5") != lowest()


def test_window_and_resolution(run, tiny):
    result = run(
        "plot", tiny, "--slice", "E12", "--window", "-2:1,0:3", "--resolution", "7x5", "--json"
    )
    (figure,) = json.loads(result.stdout)["figures"]
    assert figure["window"] == {"u": [-2, 1], "v": [0, 3]}
    assert figure["resolution"] == [7, 5]


# check-maxima


def test_check_maxima_document(run, tiny):
    document = json.loads(run("check-maxima", tiny, "--json").stdout)
    assert set(document) == {"preset", "slices"}
    within, across = document["slices"]
    for slice in (within, across):
        assert set(slice) >= {
            "name",
            "kind",
            "claim",
            "method",
            "cells",
            "smallest_eigenvalue",
            "stationary_points",
            "minimum",
            "audit",
            "border",
        }
        assert set(slice["claim"]) == {"applies", "holds", "reason"}
        for point in (*slice["stationary_points"], *slice["border"]):
            assert set(point) >= {"u", "v", "error", "kind", "support", "smooth", "index"}
    assert within["method"] == "exact"
    proven = {"sum": 1, "expected": 1, "disputed": 0, "complete": True, "sum_agrees": True}
    proven |= {"agrees": True, "fault": None}
    assert within["audit"] == proven
    indices = [p["index"] for p in (*within["stationary_points"], *within["border"])]
    assert sum(indices) == 1
    assert across["method"] == "exact"
    smooth = [
        p for p in across["stationary_points"] if (p["kind"], p["support"]) == ("saddle", "cell")
    ]
    assert across["smooth_saddles"] == len(smooth)
    assert across["audit"] == proven
    assert sum(p["index"] for p in (*across["stationary_points"], *across["border"])) == 1


def test_check_maxima_of_the_post(run):
    document = json.loads(run("check-maxima", "post", "--json").stdout)
    for slice in document["slices"]:
        assert slice["claim"]["applies"]
        assert slice["claim"]["holds"]
    for slice in document["slices"][:2]:
        (peak,) = [p for p in slice["stationary_points"] if p["kind"] == "maximum"]
        assert (peak["u"], peak["v"]) == pytest.approx((0, 0), abs=1e-12)
        assert peak["support"] == "vertex"
        assert not peak["smooth"]


def test_check_maxima_finds_the_smooth_maximum_of_tanh(run):
    result = run("check-maxima", "tanh", "--slice", "E1")
    assert "does not apply" in result.stdout
    assert "smooth maximum" in result.stdout
    assert "tanh is not piecewise linear" in result.stdout


def test_a_violated_theorem_is_status_3(run, tiny, monkeypatch):
    """With a Hessian that is wrong, as of a wrong net: the check can fail."""
    from surfacecli.geometry import claim

    right = claim.differentiate

    def wrong(*arguments):
        at = right(*arguments)
        at.hessian[0] = -np.eye(2)
        return at

    monkeypatch.setattr(claim, "differentiate", wrong)
    result = run("check-maxima", tiny, "--slice", "E1", status=3)
    assert "VIOLATED" in result.stdout


def test_an_incomplete_audit_is_said(run, tiny, monkeypatch):
    from surfacecli.geometry.exact.points import Audit

    monkeypatch.setattr(Audit, "complete", property(lambda audit: False))
    printed = run("check-maxima", tiny, "--slice", "E1").stdout
    assert "exact, NOT COMPLETE" in " ".join(printed.split())
    assert "sum to 1 of 1: NOT COMPLETE, points are missing or disputed." in printed


def let_audit_fail(monkeypatch, total):
    """Sampled searches whose indices sum to `total`, with a box that is wrong."""
    from surfacecli.geometry import claim
    from surfacecli.geometry.completeness import SampledAudit
    from surfacecli.geometry.slices import Window

    right, audit = claim.search, SampledAudit(total, (Window(0.0, 0.5, 0.0, 0.25),))
    monkeypatch.setattr(claim, "search", lambda *of: replace(right(*of), audit=audit))


SAMPLED = ("--slice", "E1", "--method", "sampled")


def test_an_incomplete_sampled_audit_is_said_wherever_its_points_are(run, tiny, monkeypatch):
    let_audit_fail(monkeypatch, 3)
    words = "NOT COMPLETE, points are missing"
    printed = run("check-maxima", tiny, *SAMPLED).stdout
    assert "sampled, NOT COMPLETE" in " ".join(printed.split())
    assert f"3 of 1: {words}; look in u = 0:0.5, v = 0:0.25" in printed
    (line,) = run("plot", tiny, *SAMPLED).stdout.splitlines()
    assert line.endswith(f"; audit: {words}")
    (line,) = run("plot", tiny, *SAMPLED, "--panel").stdout.splitlines()
    assert line.endswith(f": E1; audit: {words}")
    (figure,) = json.loads(run("plot", tiny, *SAMPLED, "--json").stdout)["figures"]
    assert figure["audit"]["agrees"] is False
    assert figure["audit"]["fault"] == "points are missing"


def test_a_sum_may_agree_where_the_audit_does_not(run, tiny, monkeypatch):
    """As where a set makes up for a point that is missing."""
    let_audit_fail(monkeypatch, 1)
    (slice,) = json.loads(run("check-maxima", tiny, *SAMPLED, "--json").stdout)["slices"]
    assert (slice["audit"]["sum_agrees"], slice["audit"]["agrees"]) == (True, False)
    fault = "a point is missing or false, and what lies near makes up for it"
    assert slice["audit"]["fault"] == fault
    assert fault in run("plot", tiny, *SAMPLED).stdout


def test_an_audit_that_agrees_is_not_mentioned(run, tiny):
    assert "audit" not in run("plot", tiny, *SAMPLED).stdout
    (slice,) = json.loads(run("check-maxima", tiny, *SAMPLED, "--json").stdout)["slices"]
    assert slice["audit"]["agrees"] is True


def test_cells_of_the_whole_plane(run, tiny):
    arguments = ("check-maxima", tiny, "--slice", "E1", "--window", "0.1:0.2", "--plane")
    (slice,) = json.loads(run(*arguments, "--json").stdout)["slices"]
    assert slice["plane_cells"] > slice["cells"]
    assert f"the whole plane has {slice['plane_cells']} cells" in run(*arguments).stdout


def test_a_plane_with_too_many_cells_is_told(run, tiny):
    arguments = ("check-maxima", tiny, "--slice", "E1", "--window", "0.1:0.2", "--plane")
    (slice,) = json.loads(run(*arguments, "--json").stdout)["slices"]
    few = ("--budget", str(slice["cells"] + 1), "--json")
    result = run(*arguments, *few)
    assert "not counted: slice E1 has about" in result.stderr
    assert "cells in the whole plane, past the budget of" in result.stderr
    assert "plane_cells" not in json.loads(result.stdout)["slices"][0]
    assert run(*arguments, *few, "-q").stderr == ""


def test_methods(run, tiny):
    document = json.loads(
        run("check-maxima", tiny, "--slice", "E1", "--method", "sampled", "--json").stdout
    )
    assert document["slices"][0]["method"] == "sampled"
    result = run("check-maxima", "tanh", "--method", "exact", status=1)
    assert "not tanh" in result.stderr


def test_the_budget(run, tiny):
    result = run("check-maxima", tiny, "--slice", "E1", "--budget", "2", "--json")
    assert "past the budget of 2" in result.stderr
    assert "--budget" in result.stderr
    assert json.loads(result.stdout)["slices"][0]["method"] == "sampled"
    result = run(
        "check-maxima", tiny, "--slice", "E1", "--budget", "2", "--method", "exact", status=1
    )
    assert "--method sampled" in result.stderr


# section


def test_section(run, tiny, tmp_path):
    result = run("section", tiny, "--slice", "E1", "--from", "-1,0.5", "--to", "1,0.5", "--json")
    (section,) = json.loads(result.stdout)["sections"]
    assert section["exact"]
    assert len(section["kinks"]) >= 1
    assert section["u"][0] == -1
    assert section["u"][-1] == 1
    assert (tmp_path / section["file"]).read_bytes().startswith(b"\x89PNG")


def test_section_through_one_point_twice(run, tiny):
    result = run("section", tiny, "--slice", "E1", "--from", "1,1", "--to", "1,1", status=1)
    assert "two different points" in result.stderr


# Wrong usage and wrong input


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["plto"], 2, "No such command 'plto'"),
        (["plot", "--layer", "0"], 2, "0"),
        (["plot", "--layer", "3"], 2, "3 is not a layer of post; choose 1 to 2"),
        (["plot", "--layer", "1", "--cross-layer"], 2, "not several"),
        (["check-maxima", "--layer", "3"], 2, "3 is not a layer of post; choose 1 to 2"),
        (["plot", "--show", "rank", "--of", "3"], 2, "surface: 3 is not a layer of post"),
        (["plot", "--slice", "E9"], 2, "it has E1, E2, E12"),
        (["plot", "psot"], 1, "post"),
        (["plot", "--resolution", "1"], 2, "2 to 20000"),
        (["plot", "--resolution", "3x"], 2, "is no resolution"),
        (["plot", "--window", "1:-1"], 2, "empty"),
        (["plot", "--window", "a:b"], 2, "is no window"),
        (["plot", "--window", "0:nan"], 2, "not finite"),
        (["plot", "--window", "1:1.0000000001"], 2, "too narrow"),
        (["plot", "--window", "0:1e-300,0:1"], 2, "is narrower than 1e-150"),
        (["plot", "--resolution", "20000", "--window", "-1:1"], 1, "smaller --resolution"),
        (["plot", "--slice", "E1", "--window", "-1e100:1e100"], 1, "choose a smaller --window"),
        (["plot", "--format", "gif"], 2, "gif"),
        (["plot", "--output", "/dev/null"], 1, "/dev/null"),
        (["section", "--from", "1"], 2, "is no point"),
        (["check-maxima", "nowhere.yaml"], 1, "nowhere.yaml"),
    ],
)
def test_one_clear_message(run, tmp_path, arguments, status, words, monkeypatch):
    from surfacecli import study

    monkeypatch.setattr(study, "TOO_LARGE", 1 << 30)
    result = run(*arguments, status=status)
    assert words in result.stderr
    assert result.stdout == ""
    assert os.listdir(tmp_path) == []


def test_a_folder_with_the_name_of_a_picture_is_noted(run, tmp_path):
    arguments = ("plot", "--slice", "E12", "--resolution", "5", "--output", "fig.png")
    result = run(*arguments)
    assert result.stdout.startswith("wrote fig.png/post-E12.png: ")
    assert result.stderr == ("surface: note: --output is a folder, the files are in fig.png/\n")
    assert run(*arguments, "-q").stderr == ""
    (tmp_path / "file.svg").touch()
    result = run(*arguments[:-1], "file.svg", status=1)
    assert "cannot make the folder file.svg" in result.stderr
    assert "note" not in result.stderr


def test_help_of_every_command() -> None:
    for name, command in surface.commands.items():
        for path in ([name], *([name, sub] for sub in getattr(command, "commands", {}))):
            result = CliRunner().invoke(surface, [*path, "-h"])
            assert result.exit_code == 0
            assert "Usage: surface" in result.stdout


def test_version() -> None:
    import surfacecli

    result = CliRunner().invoke(surface, ["--version"])
    assert result.stdout.startswith(f"surface {surfacecli.__version__}\n")
    assert f"numpy {np.__version__}" in result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell) -> None:
    result = CliRunner().invoke(surface, ["completion", shell])
    assert "_SURFACE_COMPLETE" in result.stdout


# As a process


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "surfacecli", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def test_the_shell_completes_presets() -> None:
    ran = process(_SURFACE_COMPLETE="bash_complete", COMP_WORDS="surface plot po", COMP_CWORD="2")
    assert "plain,post" in ran.stdout.split()


def test_no_color_and_no_cut_table() -> None:
    ran = process("check-maxima", "post", "--slice", "E1", FORCE_COLOR="1", NO_COLOR="1")
    assert ran.returncode == 0
    assert "\x1b[3" not in ran.stdout
    ran = process("check-maxima", "post", "--slice", "E1", COLUMNS="20")
    assert "\x1b" not in ran.stdout
    assert "1 kinked maximum" in ran.stdout


def test_a_broken_pipe_is_no_traceback() -> None:
    ran = subprocess.run(
        f"{sys.executable} -m surfacecli presets show post | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in ran.stderr


def test_interrupt_is_130(monkeypatch) -> None:
    import surfacecli.study

    def stop(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(surfacecli.study, "make_study", stop)
    result = CliRunner().invoke(surface, ["check-maxima"])
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
