"""`surface batch` as it is typed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import batch_work
import engine_work
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from surfacecli.cli.main import surface
from surfacecli.outputs import made_by_us

TINY = (
    "title: A study\nnetwork: {{widths: [2, 2, 1]}}\ndata: {{samples: 3}}\n"
    "slices: {{{slices}}}\nresolution: [7, 5]\n"
)
posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


def tiny(*names: str) -> str:
    return TINY.format(slices=", ".join(f"{name}: {{layer: 1}}" for name in names))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """No drawing: for what does not depend on the figures. In this process only."""
    monkeypatch.setattr("surfacecli.batch.making.render", batch_work.stand_in)


def run(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(surface, ["batch", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == status, result.output
    return result


def rows(result: Result) -> list[list[str]]:
    """The table of a run without its head: cells are two or more blanks apart."""
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    assert set(lines[1]) == {"─"}
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[2:]]


def test_end_to_end_on_two_processes(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine/x.yaml").write_text(tiny("E1"))
    (folder / "mine/broken.yaml").write_text("title: [")
    result = run("mine", "mixed", "--jobs", "2", "--resolution", "7x5", status=1)
    made = folder / "outputs/batch"
    assert {path.name for path in made.iterdir()} == {
        "x-E1.png",
        "x-E1.json",
        "mixed-all.png",
        "mixed-all.json",
        "index.html",
        "manifest.json",
    }
    for path in made.iterdir():
        assert made_by_us(path)
        if path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
                assert min(image.size) > 100
    record = json.loads((made / "mixed-all.json").read_text())
    assert record["verdict"]["resolution"] == [7, 5]
    assert record["verdict"]["claim"]["applies"] is False
    table = rows(result)
    assert [row[:3] for row in table] == [
        ["mine/broken.yaml", table[0][1]],
        ["x", "E1", "made"],
        ["mixed", "all", "made"],
    ]
    assert table[0][1].startswith("failed: line 2:1: ")
    assert table[2][3].startswith("does not apply")
    assert table[2][-2] == "mixed-all.png"
    lines = result.stderr.splitlines()
    assert lines[0] == "batch: 2 figures, 2 to make on 2 processes"
    assert {line.split(":")[0] for line in lines[1:3]} <= {
        f"[{i}/2] {name}" for i in (1, 2) for name in ("x-E1", "mixed-all")
    }
    assert lines[3].startswith("surface: mine/broken.yaml:2:1: ")
    assert lines[-1] == "batch: 2 made, 0 unchanged, 1 failed; see outputs/batch/index.html"
    assert "\x1b" not in result.output

    stamps = {path: path.stat().st_mtime_ns for path in made.glob("*-*")}
    (folder / "mine/broken.yaml").unlink()
    again = run("mine", "mixed", "--resolution", "7x5")
    assert [row[2] for row in rows(again)] == ["unchanged", "unchanged"]
    assert {path: path.stat().st_mtime_ns for path in made.glob("*-*")} == stamps
    assert again.stderr.splitlines()[0] == "batch: 2 figures, 2 unchanged, 0 to make"


def test_figures_as_svg_are_shown_in_the_gallery(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny("E1"))
    run("x.yaml", "--format", "svg", "--style", "post", "--output", "o")
    assert (folder / "o/x-E1.svg").read_text().startswith("<?xml")
    assert '<img src="x-E1.svg"' in (folder / "o/index.html").read_text()


@pytest.mark.usefixtures("stand_in")
def test_json_is_one_document_and_nothing_else(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny("a", "bad"))
    result = run("x.yaml", "nope", "--jobs", "1", "--json", "--output", "o", status=1)
    document = json.loads(result.stdout)
    assert {k: v for k, v in document.items() if k not in ("figures", "failures")} == {
        "folder": "o",
        "gallery": "o/index.html",
        "manifest": "o/manifest.json",
        "made": 1,
        "unchanged": 0,
        "failed": 2,
        "left": 0,
        "interrupted": False,
    }
    good, bad = document["figures"]
    assert (good["status"], good["figure"], good["record"]) == ("made", "o/x-a.png", "o/x-a.json")
    assert good["verdict"]["claim"]["holds"] is True
    assert bad == {"study": "x", "slice": "bad", "status": "failed", "message": "this slice is bad"}
    assert [failure["where"] for failure in document["failures"]] == ["nope", "x-bad"]


@pytest.mark.usefixtures("stand_in")
def test_status_3_where_the_theorem_is_violated_and_nothing_failed(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny("a", "violated"))
    for _ in range(2):  # an unchanged figure still says so
        result = run("x.yaml", "--jobs", "1", status=3)
        assert rows(result)[1][3] == "applies, VIOLATED"
    (folder / "x.yaml").write_text(tiny("a", "violated", "bad"))
    run("x.yaml", "--jobs", "1", status=1)


@pytest.mark.usefixtures("stand_in")
def test_a_row_says_that_the_audit_failed(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny("a", "doubtful"))
    for _ in range(2):  # an unchanged figure still says so
        found = [row[4] for row in rows(run("x.yaml", "--jobs", "1"))]
        assert found == ["1 kinked maximum", "1 kinked maximum; audit NOT COMPLETE"]


@pytest.mark.usefixtures("stand_in")
def test_quiet_leaves_results_and_failures(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny("a", "bad"))
    result = run("x.yaml", "-q", "--jobs", "1", status=1)
    assert result.stderr == "surface: x-bad: this slice is bad\n"
    assert [row[:3] for row in rows(result)] == [
        ["x", "a", "made"],
        ["x", "bad", "failed: this slice is bad"],
    ]


def test_a_row_says_why_it_failed() -> None:
    result = run("nope", status=1)
    assert rows(result) == [["nope", "failed: no preset is named 'nope'"]]
    assert "or give the path of a YAML file" in result.stderr
    ((_, long),) = rows(run("n" * 90, status=1))
    assert long.startswith("failed: no preset is named 'nnn")
    assert long.endswith("n...")
    assert len(long) == len("failed: ") + 72


@pytest.mark.usefixtures("stand_in")
def test_what_others_made_stays_unless_forced(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny("a", "b"))
    (folder / "o").mkdir()
    (folder / "o/x-a.png").write_text("a thesis")
    result = run("x.yaml", "--jobs", "1", "--output", "o", status=1)
    assert (folder / "o/x-a.png").read_text() == "a thesis"
    assert "surface: o/x-a.png exists and was not made by surface" in result.stderr
    assert [row[2] for row in rows(result)] == [
        "failed: o/x-a.png exists and was not made by surface",
        "made",
    ]
    result = run("x.yaml", "--jobs", "1", "--output", "o", "--force")
    assert [row[2] for row in rows(result)] == ["made", "made"]
    assert made_by_us(folder / "o/x-a.png")


@pytest.mark.parametrize("name", ["index.html", "manifest.json"])
@pytest.mark.usefixtures("stand_in")
def test_a_page_of_others_is_told_before_any_work(folder: Path, name: str) -> None:
    (folder / "x.yaml").write_text(tiny("a"))
    (folder / "o").mkdir()
    (folder / "o" / name).write_text("<h1>My site</h1>")
    result = run("x.yaml", "--jobs", "1", "--output", "o", status=1)
    assert f"surface: o/{name} exists and was not made by surface" in result.stderr
    assert not (folder / "o/x-a.png").exists()


def test_a_folder_that_is_a_file_is_told_once(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny("a", "b"))
    (folder / "o").write_text("")
    result = run("x.yaml", "--output", "o", status=1)
    assert len([line for line in result.stderr.splitlines() if "cannot" in line]) == 1
    assert result.stdout == ""


def test_usage_mistakes_have_status_2() -> None:
    run(status=2)
    run("post", "--jobs", "0", status=2)
    run("post", "--resolution", "1", status=2)


def test_a_preset_that_only_remarks_is_heard(folder: Path) -> None:
    result = run("mixed", "--seed", "3", "--resolution", "3", "--jobs", "1")
    assert "surface: mixed: nothing in mixed is drawn: --seed changes nothing" in result.stderr


# Real processes

INTERRUPTED = """
import sys
import batch_work
from surfacecli.batch import making
making.render = batch_work.slow_stand_in
from surfacecli.cli import main
main()
"""


@posix
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_ctrl_c_says_what_is_done_and_the_same_command_goes_on(
    folder: Path, arguments: list[str]
) -> None:
    names = [f"s{n}" for n in range(50)]
    (folder / "x.yaml").write_text(tiny(*names))
    command = [sys.executable, "-c", INTERRUPTED, "batch", "x.yaml", "--jobs", "1", *arguments]
    environment = os.environ | engine_work.HERE
    running = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while len(list(folder.glob("outputs/batch/x-*.json"))) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in stderr
    made = len(list(folder.glob("outputs/batch/x-*.json")))
    assert 5 <= made < 50
    last = stderr.splitlines()[-1]
    assert last == (
        f"surface: interrupted: {made} made, {50 - made} left; the same command again goes on"
    )
    manifest = json.loads((folder / "outputs/batch/manifest.json").read_text())
    assert (len(manifest["figures"]), manifest["complete"]) == (made, False)
    if arguments:
        document = json.loads(stdout)
        assert (document["made"], document["left"]) == (made, 50 - made)
        assert document["interrupted"] is True
    else:
        assert stdout == ""
    rest = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert f"batch: {50 - made} made, {made} unchanged; see" in rest.stderr


def on_a_terminal(arguments: list[str], **environment: str) -> tuple[str, int]:
    """What a program prints on a terminal of its own, and its status."""
    import pty

    terminal, its_end = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        env=os.environ | engine_work.HERE | {"COLUMNS": "120"} | environment,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
    )
    os.close(its_end)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # how Linux tells that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    return shown.decode(), child.wait()


@posix
def test_on_a_terminal_the_display_is_live(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny(*(f"s{n}" for n in range(8))))
    arguments = ["batch", "x.yaml", "--jobs", "1"]
    shown, status = on_a_terminal(arguments, TERM="xterm-256color")
    assert status == 0
    assert "\x1b[" in shown
    assert "8 left" in shown
    assert "x-s3: applies, holds" in shown
    assert "[1/8]" not in shown
    shown, status = on_a_terminal([*arguments, "--force"], TERM="dumb")
    assert status == 0
    assert "\x1b[2K" not in shown
    assert "[1/8] x-s0: applies, holds" in shown


def test_planning_a_batch_without_work_does_not_import_matplotlib(folder: Path) -> None:
    (folder / "x.yaml").write_text(tiny("a"))
    script = (
        "import sys\nfrom surfacecli.cli import surface\n"
        "try:\n    surface(['batch', 'x.yaml', '--jobs', '1'])\nexcept SystemExit:\n    pass\n"
        "print('matplotlib' in sys.modules)"
    )

    def ask() -> Any:
        ran = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        return ran.stdout.splitlines()[-1]

    assert ask() == "True"
    assert ask() == "False"
