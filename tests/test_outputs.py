"""Files are complete or not there, and nothing that others made is overwritten."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from surfacecli import outputs
from surfacecli.errors import SurfaceError
from surfacecli.outputs import MARK, inside, json_text, made_by_us, write_file

OURS = f"<!-- {MARK} 0.1.0 -->".encode()
posix = pytest.mark.skipif(os.name != "posix", reason="signals, links and limits of POSIX")


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def run(script: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# write_file


def test_a_new_file_in_a_new_folder_has_the_bytes_and_nothing_lies_beside_it(tmp_path):
    path = tmp_path / "a" / "b" / "E1.png"
    content = OURS + bytes(range(256)) * 1000
    write_file(path, content)
    assert path.read_bytes() == content
    assert names(path.parent) == {"E1.png"}


def test_our_own_file_is_replaced_without_force(tmp_path):
    path = tmp_path / "x"
    write_file(path, OURS + b"old and longer")
    write_file(path, OURS + b"new")
    assert path.read_bytes() == OURS + b"new"
    assert names(tmp_path) == {"x"}


@pytest.mark.parametrize("content", [b"someone's thesis", b"", MARK.encode()[:-1]])
def test_a_foreign_file_stays_unless_forced(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(SurfaceError, match=r"x\.png exists and was not made by .*--force"):
        write_file(path, OURS)
    assert path.read_bytes() == content
    assert names(tmp_path) == {"x.png"}
    write_file(path, OURS, force=True)
    assert path.read_bytes() == OURS


@posix
def test_a_file_is_as_readable_as_any_other_that_the_user_makes(tmp_path):
    previous = os.umask(0o027)
    try:
        write_file(tmp_path / "x", OURS)
    finally:
        os.umask(previous)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@posix
def test_a_link_is_replaced_and_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_bytes(OURS + b"elsewhere")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_file(link, OURS)
    assert not link.is_symlink()
    assert link.read_bytes() == OURS
    assert target.read_bytes() == OURS + b"elsewhere"


@posix
def test_a_link_to_nowhere_was_not_made_by_us(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SurfaceError, match="not made by surface"):
        write_file(link, OURS)
    assert names(tmp_path) == {"link"}


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_refused_and_kept(tmp_path, force):
    (tmp_path / "there").mkdir()
    with pytest.raises(SurfaceError, match="there: it is a folder"):
        write_file(tmp_path / "there", OURS, force=force)
    assert names(tmp_path) == {"there"}


@posix
@pytest.mark.parametrize("force", [False, True])
def test_a_pipe_is_refused_without_waiting_for_its_other_end(tmp_path, force):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SurfaceError, match="it is a device or a pipe"):
        write_file(tmp_path / "pipe", OURS, force=force)
    assert (tmp_path / "pipe").is_fifo()


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "plain").write_text("x")
    with pytest.raises(SurfaceError, match=r"cannot make the folder .*plain: "):
        write_file(tmp_path / "plain" / "E1.png", OURS)
    with pytest.raises(SurfaceError, match=r"cannot make the folder .*deeper: "):
        write_file(tmp_path / "plain" / "deeper" / "E1.png", OURS)
    assert (tmp_path / "plain").read_text() == "x"


@pytest.mark.parametrize("name", ["n" * 300, "nul\0byte", "lone\udcff\ud800"])
def test_a_name_that_the_system_refuses_is_one_message(tmp_path, name):
    with pytest.raises(SurfaceError, match=r"^cannot .*; choose another place$"):
        write_file(tmp_path / name, OURS)
    assert names(tmp_path) == set()


def test_the_longest_name_that_the_system_takes_can_be_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".png")
    write_file(path, OURS)
    assert path.read_bytes() == OURS


def test_a_path_cannot_forge_a_second_line_of_the_message(tmp_path):
    path = tmp_path / "x\nsurface: all is well"
    path.write_bytes(b"foreign")
    with pytest.raises(SurfaceError) as caught:
        write_file(path, OURS)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(SurfaceError, match="Permission denied"):
            write_file(tmp_path / "x", OURS)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_failure_at_any_step_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, step, code
):
    def fail(*_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "x"
    write_file(path, OURS + b"old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(SurfaceError, match=f"cannot write .*x: {os.strerror(code)}"):
        write_file(path, OURS + b"new")
    assert path.read_bytes() == OURS + b"old"
    assert names(tmp_path) == {"x"}


def test_an_interrupt_leaves_the_old_file_and_stays_an_interrupt(tmp_path, monkeypatch):
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "x"
    write_file(path, OURS + b"old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, OURS + b"new")
    assert path.read_bytes() == OURS + b"old"
    assert names(tmp_path) == {"x"}


@posix
def test_a_file_that_the_system_stops_half_way_leaves_the_old_one(tmp_path):
    """A real refusal in the middle of a write, as by a full disk: the limit on a file's size."""
    path = tmp_path / "x"
    write_file(path, OURS + b"old")
    script = """
import resource, sys
from pathlib import Path
from surfacecli.errors import SurfaceError
from surfacecli.outputs import write_file
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_file(Path(sys.argv[1]), bytes(10_000_000))
except SurfaceError as error:
    print(error)
"""
    done = run(script, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"cannot write {path}: File too large")
    assert path.read_bytes() == OURS + b"old"
    assert names(tmp_path) == {"x"}


KILLED_BEFORE = """
import os, signal, sys
from pathlib import Path
from surfacecli.outputs import write_file
setattr(os, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
write_file(Path(sys.argv[1]), Path(sys.argv[3]).read_bytes())
"""


@posix
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_killed_run_leaves_the_old_file_and_the_next_run_clears_up(tmp_path, step):
    folder = tmp_path / "out"
    path = folder / "x.png"
    write_file(path, OURS + b"old")
    new = tmp_path / "new"
    new.write_bytes(OURS + b"n" * 1_000_000)

    done = run(KILLED_BEFORE, path, step, new)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == OURS + b"old"
    (left,) = names(folder) - {"x.png"}
    assert left.startswith(".x.png.")
    assert left.endswith(".tmp")

    write_file(folder / "y.png", OURS)  # another target: none of its business
    assert names(folder) == {"x.png", "y.png", left}
    write_file(path, new.read_bytes())
    assert path.read_bytes() == new.read_bytes()
    assert names(folder) == {"x.png", "y.png"}


@posix
def test_the_temporary_files_of_the_living_and_of_other_machines_stay(tmp_path, monkeypatch):
    """Only what is certainly a leftover of this target goes."""
    seen: list[str] = []
    replace = os.replace

    def watched(source: str, target: str) -> None:
        seen.append(Path(source).name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    write_file(tmp_path / "x", OURS)
    with monkeypatch.context() as there:
        there.setattr("platform.node", lambda: "another machine")
        write_file(tmp_path / "x", OURS)
    mine, elsewhere = seen
    assert f".{os.getpid()}." in mine
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    def of(process: object, name: str = mine) -> str:
        return name.replace(f".{os.getpid()}.", f".{process}.")

    stale = of(gone.pid)
    kept = {
        mine,
        of(os.getppid()),
        of(f"{gone.pid}x"),
        stale.replace(".tmp", ".txt"),
        f"y{stale}",
        f"{stale}.bak",
        of(gone.pid, elsewhere),
        f".x.{gone.pid}.tmp",
    }
    for name in kept | {stale}:
        (tmp_path / name).write_bytes(b"half")
    write_file(tmp_path / "x", OURS)
    assert names(tmp_path) == kept | {"x"}


# made_by_us


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (0, 0, True),
        (70_000, 0, True),
        (0, 70_000, True),
        (65_536 - len(MARK), 500_000, True),
        (65_536 - len(MARK) + 1, 500_000, False),
        (500_000, 65_536 - len(MARK), True),
        (500_000, 65_536 - len(MARK) + 1, False),
        (65_530, 30_000, True),
    ],
)
def test_the_mark_counts_within_64_kib_of_either_end(tmp_path, before, after, expected):
    path = tmp_path / "x"
    path.write_bytes(b"\xff" * before + MARK.encode() + b"\xff" * after)
    assert made_by_us(path) is expected


def test_what_is_no_file_was_not_made_by_us(tmp_path):
    assert not made_by_us(tmp_path)
    assert not made_by_us(tmp_path / "missing")
    assert not made_by_us(tmp_path / "nul\0byte")


@posix
@pytest.mark.timeout(20)
def test_a_link_to_a_pipe_is_judged_without_opening_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert not made_by_us(tmp_path / "link")


# inside


@pytest.mark.parametrize(
    "name", ["E1.png", "über.svg", "a-b_c (2).npz", "console", "com10", "a..b"]
)
def test_a_plain_name_lies_in_the_folder(tmp_path, name):
    assert inside(tmp_path, name) == tmp_path / name
    assert inside(tmp_path, name).parent == tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x", "a/../../x", "/etc/passwd", "a/b", "a\\b", "..\\x", "C:x",
        "x:stream", ".gitignore", " x", "x ", "x.", "tab\there", "line\nbreak", "nul\0byte", "a*",
        "a?", "<a>",
        'a"b', "a|b", "CON", "nul", "Aux.png", "com1.tar.gz", "LPT9", "n" * 256, "é" * 128,
        "\udcff",
    ],
)  # fmt: skip
def test_a_name_that_leaves_the_folder_or_is_reserved_is_refused(tmp_path, name):
    with pytest.raises(SurfaceError) as caught:
        inside(tmp_path, name)
    message = str(caught.value)
    assert message.startswith(f"{name!r} cannot name a file in ")
    assert len(message.splitlines()) == 1


# json_text


def test_json_has_plain_numbers_and_null_for_what_is_not_finite():
    document = {
        "grid": np.array([[1.0, np.nan], [np.inf, -0.5]]),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "single": np.float32(0.5),
        "nested": ({"a": -np.inf, "b": [np.float64("nan"), None]},),
        "text": np.str_("NaN"),
        "counts": np.arange(3),
        np.int64(7): "numbered",
    }
    text = json_text(document)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(text, parse_constant=refuse) == {
        "grid": [[1.0, None], [None, -0.5]],
        "count": 3,
        "flag": True,
        "single": 0.5,
        "nested": [{"a": None, "b": [None, None]}],
        "text": "NaN",
        "counts": [0, 1, 2],
        "7": "numbered",
    }
    assert text.endswith("}\n")


def test_json_keeps_the_order_and_every_digit_and_is_ascii():
    text = json_text({"z": 0.1 + 0.2, "a": "Fläche"})
    assert text == '{\n  "z": 0.30000000000000004,\n  "a": "Fl\\u00e4che"\n}\n'


def test_json_refuses_what_it_has_no_form_for():
    with pytest.raises(TypeError):
        json_text({"a": object()})


def test_what_others_import_is_there():
    assert outputs.MARK == "made by surfacecli"
