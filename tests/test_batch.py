"""Batches: sources, names, what is done already, records, folders, and ends of all kinds."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import batch_work
import engine_work
import pytest

from surfacecli.batch import planning
from surfacecli.batch.folder import describe_folder
from surfacecli.batch.making import Failure, Task, make
from surfacecli.batch.planning import Plan, make_plan, name_studies
from surfacecli.batch.records import (
    PACKAGE,
    Options,
    Record,
    digest_code,
    read_record,
    read_records,
)
from surfacecli.batch.running import Item, Report, choose_jobs, run_batch
from surfacecli.batch.sources import find_presets
from surfacecli.errors import PresetError
from surfacecli.gallery import SIGNS
from surfacecli.outputs import MARK
from surfacecli.progress import QuietProgress
from surfacecli.reading.shipped import shipped_folder

OPTIONS = Options()


def preset_text(slices: Sequence[str] = ("a", "b"), more: str = "") -> str:
    listed = ", ".join(f"{name}: {{layer: 1}}" for name in slices)
    return (
        "title: A study\nnetwork: {widths: [2, 2, 1]}\ndata: {samples: 3}\n"
        f"slices: {{{listed}}}\n{more}"
    )


def write_preset(path: Path, slices: Sequence[str] = ("a", "b"), more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(preset_text(slices, more))
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*sources: str) -> list[str]:
    paths, troubles = find_presets(sources)
    assert not troubles
    return [path.as_posix() for path in paths]


# sources


def test_names_files_folders_and_patterns_in_any_mix(folder: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", "sub/deeper/d.yaml", "note.txt", "w.npz"):
        write_preset(folder / "mine" / name)
    (folder / "mine" / "folder.yaml").mkdir()
    assert found("mine/b.yaml") == ["mine/b.yaml"]
    assert found("mine") == ["mine/a.yml", "mine/b.yaml"]
    assert found("mine/") == ["mine/a.yml", "mine/b.yaml"]
    assert found("mine/*") == ["mine/a.yml", "mine/b.yaml"]
    assert found("mine/[b-z]*.yaml") == ["mine/b.yaml"]
    assert found("mine/**/*.yaml") == [
        "mine/b.yaml",
        "mine/sub/c.yaml",
        "mine/sub/deeper/d.yaml",
    ]
    assert found("tanh", "mine/sub") == [
        (shipped_folder() / "tanh.yaml").as_posix(),
        "mine/sub/c.yaml",
    ]


def test_a_shipped_folder_goes_by_its_name_unless_there_is_one_here(folder: Path) -> None:
    assert {Path(path).parent for path in found("gallery")} == {shipped_folder() / "gallery"}
    write_preset(folder / "gallery" / "mine.yaml")
    assert found("gallery") == ["gallery/mine.yaml"]


def test_a_file_named_twice_counts_once(folder: Path) -> None:
    write_preset(folder / "m" / "x.yaml")
    (folder / "link.yaml").symlink_to(folder / "m" / "x.yaml")
    for sources in itertools.permutations(["m/x.yaml", "m", "m/*.yaml", "link.yaml"]):
        assert found(*sources) == ["link.yaml"]


def test_a_file_whose_name_looks_like_a_pattern(folder: Path) -> None:
    write_preset(folder / "a[1].yaml")
    write_preset(folder / "a1.yaml")
    assert found("a[1].yaml") == ["a[1].yaml"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("tanhh", "did you mean 'tanh'"),
        ("nowhere/x.yaml", "no such file"),
        ("empty", "the folder holds no .yaml file"),
        ("x*.yaml", "no .yaml file matches"),
        ("data", "no preset is named 'data'"),
    ],
)
def test_a_source_without_a_preset_is_told_and_stops_no_other(
    folder: Path, source: str, message: str
) -> None:
    (folder / "empty").mkdir()
    paths, troubles = find_presets([source, "tanh", source])
    assert [path.stem for path in paths] == ["tanh"]
    assert [trouble.where for trouble in troubles] == [source]
    assert message in troubles[0].message


# names


def test_equal_stems_get_their_folders_in_front_whatever_the_order(folder: Path) -> None:
    files = [folder / name for name in ("b/x.yaml", "a/x.yaml", "c d/X.yaml", "a/y.yaml")]
    wanted = {"a/x.yaml": "x", "a/y.yaml": "y", "b/x.yaml": "b-x", "c d/X.yaml": "c-d-X"}
    for order in itertools.permutations(files):
        names = name_studies(order)
        assert {p.relative_to(folder).as_posix(): n for p, n in names.items()} == wanted


def test_names_never_run_out(folder: Path) -> None:
    files = [folder / top / "same" / "x.yaml" for top in (".c", "a", "b")]
    assert list(name_studies(reversed(files)).values()) == ["x", "same-x", "b-same-x"]
    assert list(name_studies([Path("/x.yaml"), Path("/X.yaml")]).values()) == ["X", "x-2"]


def test_a_shipped_preset_keeps_its_name(folder: Path) -> None:
    mine = folder / "post.yaml"
    names = name_studies([mine, shipped_folder() / "post.yaml"])
    assert names[shipped_folder() / "post.yaml"] == "post"
    assert names[mine].endswith("-post")


def test_dashes_cannot_make_two_figures_one(folder: Path) -> None:
    write_preset(folder / "a.yaml", ["b-c", "B-c", "d"])
    write_preset(folder / "a-b.yaml", ["c", "e"])
    for order in (["a.yaml", "a-b.yaml"], ["a-b.yaml", "a.yaml"]):
        plan = make_plan(order, folder / "out", OPTIONS)
        names = {(task.study, task.slice): task.name for task in plan.tasks}
        # a-b.yaml comes before a.yaml in the alphabet.
        assert names == {
            ("a-b", "c"): "a-b-c",
            ("a-b", "e"): "a-b-e",
            ("a", "b-c"): "a-b-c-2",
            ("a", "B-c"): "a-B-c-3",
            ("a", "d"): "a-d",
        }


# plans


def plan_of(*sources: str, options: Options = OPTIONS, force: bool = False) -> Plan:
    return make_plan(sources, Path("out"), options, force)


def run_all(plan: Plan, work=batch_work.stand_in, jobs: int = 1) -> Report:  # type: ignore[no-untyped-def]
    return run_batch(plan, QuietProgress(), jobs, work)


def keys(plan: Plan) -> dict[str, str]:
    return {task.name: task.key for task in plan.tasks}


def test_every_slice_of_every_preset_is_a_task_in_the_order_asked_for(folder: Path) -> None:
    write_preset(folder / "x.yaml", ["E2", "E1"])
    write_preset(folder / "c.yaml", ["s"])
    plan = plan_of("x.yaml", "c.yaml")
    assert [task.name for task in plan.tasks] == ["x-E2", "x-E1", "c-s"]
    assert plan.missing == plan.tasks
    assert {task.figure for task in plan.tasks} == {"x-E2.png", "x-E1.png", "c-s.png"}


def test_a_broken_preset_stops_no_other(folder: Path) -> None:
    write_preset(folder / "good.yaml")
    (folder / "bad.yaml").write_text("network: 3\nslices: [")
    plan = plan_of("bad.yaml", "good.yaml")
    assert [task.study for task in plan.tasks] == ["good", "good"]
    (trouble,) = plan.troubles
    assert trouble.where == "bad.yaml"
    assert trouble.message.startswith("bad.yaml:")


def test_a_bug_in_one_preset_stops_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(source: str, options: Options, slice_name: str | None = None) -> object:
        raise KeyError("who") if "x" in source else ZeroDivisionError("no")

    monkeypatch.setattr(planning, "read_study", read)
    write_preset(folder / "x.yaml")
    write_preset(folder / "y.yaml")
    told = [trouble.message for trouble in plan_of("x.yaml", "y.yaml").troubles]
    assert "bug in surface: KeyError: 'who'" in told[0]
    assert "bug in surface: ZeroDivisionError: no" in told[1]


def test_a_grid_beyond_all_memory_is_refused_before_the_start(folder: Path) -> None:
    write_preset(folder / "x.yaml")
    (trouble,) = plan_of("x.yaml", options=Options(resolution=(100000, 100000))).troubles
    assert "smaller --resolution" in trouble.message


def write_preset_with_file(folder: Path) -> None:
    import numpy as np

    np.savez(folder / "d.npz", inputs=np.eye(2), targets=np.ones((2, 1)))
    text = preset_text().replace("{samples: 3}", "{file: d.npz}")
    (folder / "x.yaml").write_text(text)


@pytest.mark.parametrize(
    "options",
    [
        Options(style="post"),
        Options(file_format="svg"),
        Options(resolution=(5, 7)),
        Options(resolution=(7, 5)),
        Options(seed=4),
        Options(size="column"),
    ],
)
def test_each_option_changes_the_keys(folder: Path, options: Options) -> None:
    write_preset(folder / "x.yaml")
    before, after = keys(plan_of("x.yaml")), keys(plan_of("x.yaml", options=options))
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


def test_what_the_files_say_and_the_version_change_the_keys(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    write_preset_with_file(folder)
    seen = [keys(plan_of("x.yaml"))]
    (folder / "x.yaml").write_text((folder / "x.yaml").read_text() + "# a remark\n")
    seen.append(keys(plan_of("x.yaml")))
    np.savez(folder / "d.npz", inputs=np.eye(2), targets=np.zeros((2, 1)))
    seen.append(keys(plan_of("x.yaml")))
    monkeypatch.setattr("surfacecli.batch.records.__version__", "99")
    seen.append(keys(plan_of("x.yaml")))
    monkeypatch.setattr("surfacecli.batch.records.digest_code", lambda: "edited")
    seen.append(keys(plan_of("x.yaml")))
    assert len({key for plan in seen for key in plan.values()}) == 5 * 2


def test_the_digest_of_the_code_is_that_of_its_sources(folder: Path) -> None:
    package = shutil.copytree(PACKAGE, folder / "surfacecli")
    assert digest_code(package) == digest_code(PACKAGE) == digest_code()
    digests = [digest_code(package)]
    for change in (
        lambda: (package / "batch" / "planning.py").write_text("edited = True\n"),
        lambda: (package / "batch" / "planning.py").rename(package / "batch" / "plans.py"),
        lambda: (package / "words.py").unlink(),
    ):
        change()
        digest_code.cache_clear()
        digests.append(digest_code(package))
    assert len(set(digests)) == 4


def test_style_cells_leaves_out_what_has_no_cells(folder: Path) -> None:
    (folder / "x.yaml").write_text(preset_text().replace("b: {layer: 1}", "b: {u: 1, v: 2}"))
    plan = plan_of("x.yaml", options=Options(style="cells", resolution=(5, 6)))
    assert [task.slice for task in plan.tasks] == ["a"]
    assert plan.remarks == ("x: left out, without exact cells: b",)
    made = make(plan.tasks[0])
    assert isinstance(made, Record), made
    assert made.made_from["style"] == "cells"


def test_what_changes_nothing_leaves_the_keys(folder: Path) -> None:
    write_preset(folder / "x.yaml")
    before = keys(plan_of("x.yaml"))
    os.utime(folder / "x.yaml", (1, 1))
    assert keys(plan_of("x.yaml", options=Options(style="modern"))) == before
    assert keys(plan_of(str(folder / "x.yaml"))) == before


# runs


def test_a_second_run_makes_only_what_changed(folder: Path) -> None:
    write_preset(folder / "x.yaml", ["a", "b"])
    write_preset(folder / "y.yaml", ["a", "b"])
    first = run_all(plan_of("x.yaml", "y.yaml"))
    assert [item.status for item in first.items] == ["made"] * 4
    again = plan_of("x.yaml", "y.yaml")
    assert again.missing == ()
    assert [item.status for item in run_all(again).items] == ["unchanged"] * 4
    assert [item.record for item in run_all(again).items] == [item.record for item in first.items]

    def missing() -> set[str]:
        return {task.name for task in plan_of("x.yaml", "y.yaml").missing}

    (folder / "out/x-a.png").write_bytes(b"cut sho")
    (folder / "out/x-b.png").unlink()
    (folder / "out/y-a.json").write_text("{")
    assert missing() == {"x-a", "x-b", "y-a"}
    # What was overwritten by hand bears no mark: it is left alone, and told.
    report = run_all(plan_of("x.yaml", "y.yaml"))
    assert [item.status for item in report.items] == ["failed", "made", "failed", "unchanged"]
    assert (folder / "out/x-a.png").read_bytes() == b"cut sho"
    assert [trouble.where for trouble in report.failures] == ["x-a", "y-a"]
    assert all("was not made by surface" in trouble.message for trouble in report.failures)
    assert missing() == {"x-a", "y-a"}
    write_preset(folder / "x.yaml", ["a", "b"], more="window: {u: [-2, 2], v: [-1, 1]}\n")
    assert missing() == {"x-a", "x-b", "y-a"}
    assert {task.name for task in plan_of("x.yaml", "y.yaml", force=True).missing} == {
        "x-a",
        "x-b",
        "y-a",
        "y-b",
    }


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_slice_that_fails_stops_no_other(folder: Path, jobs: int) -> None:
    write_preset(folder / "x.yaml", ["a", "bad", "b", "violated"])
    report = run_all(plan_of("x.yaml", "nope"), jobs=jobs)
    assert [item.status for item in report.items] == ["made", "failed", "made", "made"]
    assert [(t.where, t.message[:16]) for t in report.failures] == [
        ("nope", "no preset is nam"),
        ("x-bad", "this slice is ba"),
    ]
    assert (report.count("made"), report.count("failed"), report.count("left")) == (3, 1, 0)
    assert report.violated
    assert not run_all(plan_of("x.yaml")).failures[1:]


def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(folder: Path) -> None:
    write_preset(folder / "x.yaml", ["a", "b", "c", "d"])
    report = run_all(plan_of("x.yaml"), batch_work.interrupted_stand_in)
    assert report.interrupted
    assert [item.status for item in report.items] == ["made", "made", "left", "left"]
    rest = run_all(plan_of("x.yaml"))
    assert [item.status for item in rest.items] == ["unchanged", "unchanged", "made", "made"]
    assert not rest.interrupted


def test_what_was_finished_when_ctrl_c_came_counts(folder: Path) -> None:
    write_preset(folder / "x.yaml", ["a", "b", "c"])
    report = run_all(plan_of("x.yaml"), batch_work.stand_in_interrupted_late)
    assert [item.status for item in report.items] == ["made", "made", "left"]
    run_all(plan_of("x.yaml"))
    # With --force the old figure of c looks like a new one, but was not made.
    report = run_all(plan_of("x.yaml", force=True), batch_work.interrupted_stand_in)
    assert [item.status for item in report.items] == ["made", "made", "left"]


class Told:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def began(self, name: str) -> None:
        self.lines.append(f"began {name}")

    def ended(self, name: str, words: str) -> None:
        self.lines.append(f"ended {name}: {words}")


def test_progress_is_told_what_begins_and_ends(folder: Path) -> None:
    write_preset(folder / "x.yaml", ["a", "bad"])
    told = Told()
    run_batch(plan_of("x.yaml"), told, 1, batch_work.stand_in)
    assert told.lines == [
        "began x-a",
        "ended x-a: applies, holds, 0.2 s",
        "began x-bad",
        "ended x-bad: failed: this slice is bad",
    ]


def test_no_more_workers_than_tasks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_preset(folder / "x.yaml", ["a", "b", "c"])
    monkeypatch.setattr("surfacecli.batch.running.available_cores", lambda: 2)
    plan = plan_of("x.yaml")
    assert [choose_jobs(plan, jobs) for jobs in (None, 1, 2, 3, 99)] == [2, 1, 2, 3, 3]
    run_all(plan)
    assert choose_jobs(plan_of("x.yaml")) == 1


KILLED = """
import sys
from pathlib import Path
import batch_work
from surfacecli.batch.planning import make_plan
from surfacecli.batch.records import Options
from surfacecli.batch.running import run_batch
from surfacecli.progress import QuietProgress
plan = make_plan(["x.yaml"], Path("out"), Options())
print("go", flush=True)
run_batch(plan, QuietProgress(), int(sys.argv[1]), batch_work.slow_stand_in)
print("end", flush=True)
"""


def wait_for_the_dead(folder: Path) -> set[Path]:
    """Leftovers of processes that still have their number after a while: nobody collects them."""

    def there(path: Path) -> bool:
        try:
            os.kill(int(path.name.split(".")[-3]), 0)
        except ProcessLookupError:
            return False
        return True

    deadline = time.monotonic() + 2
    while any(map(there, folder.glob(".*.tmp"))) and time.monotonic() < deadline:
        time.sleep(0.01)
    return set(filter(there, folder.glob(".*.tmp")))


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_any_moment_only_complete_files_are_there(folder: Path, jobs: int) -> None:
    write_preset(folder / "x.yaml", [f"s{n}" for n in range(60)])
    chance = random.Random(jobs)
    complete: set[str] = set()
    zombies: set[Path] = set()
    for _ in range(2):
        run = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(jobs)],
            stdout=subprocess.PIPE,
            env=os.environ | engine_work.HERE,
            text=True,
        )
        assert run.stdout is not None
        assert run.stdout.readline() == "go\n"
        deadline = time.monotonic() + 30
        while len(list(Path("out").glob("*.json"))) <= len(complete):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.25))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        zombies |= wait_for_the_dead(folder / "out")
        for path in (folder / "out").glob("[!.]*"):
            if path.suffix == ".json":
                assert read_record(path) is not None, path
            else:
                assert path.stat().st_size == len(MARK) + 64 * 5000
        now = {task.name for task in plan_of("x.yaml").tasks} - {
            task.name for task in plan_of("x.yaml").missing
        }
        assert now > complete
        complete = now
    assert len(complete) < 60
    before = {name: (folder / f"out/{name}.json").stat().st_mtime_ns for name in complete}
    report = run_all(plan_of("x.yaml"))
    assert report.count("unchanged") == len(complete)
    assert report.count("made") == 60 - len(complete)
    after = {name: (folder / f"out/{name}.json").stat().st_mtime_ns for name in complete}
    assert after == before
    assert len(list((folder / "out").glob("[!.]*"))) == 120
    assert not set((folder / "out").glob(".*")) - zombies


# records


@pytest.fixture
def record(folder: Path) -> Path:
    write_preset(folder / "x.yaml", ["a"])
    run_all(plan_of("x.yaml"))
    return folder / "out/x-a.json"


def test_a_record_comes_back_as_it_was(record: Path) -> None:
    task = plan_of("x.yaml").tasks[0]
    content = (record.parent / "x-a.png").read_bytes()
    assert read_record(record) == batch_work.record_of(task, content)
    assert read_records(record.parent) == {"x-a": read_record(record)}
    assert MARK in json.loads(record.read_text())["generator"]


@pytest.mark.parametrize(
    "change",
    [
        {"generator": "someone else"},
        {"name": "other"},
        {"name": 3},
        {"figure": "../x-a.png"},
        {"figure": "x-b.png"},
        {"figure_sha256": "0" * 64},
        {"key": None},
        {"seconds": "1"},
        {"title": ["a"]},
        {"verdict": {}},
        {"verdict": []},
        {"verdict": {"kind": "mixed", "claim": {"applies": 1, "holds": True, "reason": ""}}},
        {"made_from": None},
        {"new": 1},
    ],
    ids=str,
)
def test_what_is_no_record_of_ours_is_none(record: Path, change: dict[str, object]) -> None:
    shutil.copy(record.parent / "x-a.png", record.parent.parent / "x-a.png")
    document = json.loads(record.read_text())
    record.write_text(json.dumps(document))
    assert read_record(record) is not None
    record.write_text(json.dumps(document | change))
    assert read_record(record) is None


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{", "\xff", "[" * 100000, "{}"])
def test_what_is_no_json_object_is_none(record: Path, text: str) -> None:
    record.write_text(text, encoding="latin-1")
    assert read_record(record) is None


# the folder


def manifest(folder: Path) -> dict[str, object]:
    document = json.loads((folder / "out/manifest.json").read_text())
    assert isinstance(document, dict)
    return document


def test_manifest_and_gallery_show_the_whole_folder(folder: Path) -> None:
    write_preset(folder / "old.yaml", ["a"])
    write_preset(folder / "x.yaml", ["b", "a", "bad"])
    describe_folder(run_all(plan_of("old.yaml")))
    describe_folder(run_all(plan_of("x.yaml", "nope")))
    document = manifest(folder)
    assert document["generator"] == f"{MARK} {document['version']}"
    assert document["complete"] is False
    figures = document["figures"]
    assert isinstance(figures, list)
    assert [(f["figure"], f["record"], f["status"]) for f in figures] == [
        ("x-b.png", "x-b.json", "made"),
        ("x-a.png", "x-a.json", "made"),
        ("old-a.png", "old-a.json", "earlier"),
    ]
    assert figures[0]["claim"] == {"applies": True, "holds": True, "reason": "said so"}
    assert figures[0]["minimum"] == {"u": 0.5, "v": -0.5, "error": 1.5}
    failures = document["failures"]
    assert isinstance(failures, list)
    assert [f["where"] for f in failures] == ["nope", "x-bad"]
    page = (folder / "out/index.html").read_text(encoding="utf-8")
    for name in ("x-a.png", "x-b.png", "old-a.png", "this slice is bad"):
        assert name in page
    assert page.count("from an earlier run") == 1


@pytest.mark.parametrize(
    ("applies", "holds", "tone", "words"),
    [
        (True, True, "good", "theorem applies, holds"),
        (True, False, "bad", "theorem applies, VIOLATED"),
        (False, True, "neutral", "theorem does not apply"),
        (False, False, "contrast", "theorem does not apply, its claim fails here"),
    ],
)
def test_each_verdict_has_its_words_and_its_tone(
    folder: Path, applies: bool, holds: bool, tone: str, words: str
) -> None:
    write_preset(folder / "x.yaml", ["a"])

    def work(task: Task) -> Record:
        record = batch_work.stand_in(task)
        assert isinstance(record, Record)
        content = (folder / "out/x-a.png").read_bytes()
        changed = batch_work.record_of(task, content, applies, holds)
        (folder / "out/x-a.json").write_bytes(changed.encode())
        return changed

    describe_folder(run_all(plan_of("x.yaml"), work))
    page = (folder / "out/index.html").read_text(encoding="utf-8")
    badge = f'<span class="badge {tone}"><i aria-hidden="true">{SIGNS[tone]}</i> '  # type: ignore[index]
    assert f"{badge}{words}</span>" in page


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ({"method": "sampled", "audit": {"complete": False}}, "sampled, may miss points"),
        (
            {"method": "sampled", "audit": {"sum": 1, "sum_agrees": True, "complete": False}},
            "sampled, may miss points; indices sum to 1 of 1",
        ),
        (
            {"method": "sampled", "audit": {"sum": 3, "sum_agrees": False, "complete": False}},
            "sampled, may miss points; indices sum to 3 of 1: points are missing",
        ),
        ({"method": "exact", "cells": 7, "audit": {"complete": True}}, "7 cells, audit passed"),
        ({"method": "exact", "cells": 7, "audit": {"complete": False}}, "the audit failed"),
        ({"method": "exact", "cells": 7}, "the audit failed"),
    ],
)
def test_the_gallery_calls_complete_what_the_audit_does(
    record: Path, verdict: dict[str, object], words: str
) -> None:
    document = json.loads(record.read_text())
    record.write_text(json.dumps(document | {"verdict": document["verdict"] | verdict}))
    describe_folder(run_all(plan_of("x.yaml")))
    assert words in (record.parent / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("audit", "fault"),
    [
        ({"sum": 1, "sum_agrees": True, "agrees": True, "fault": None}, ""),
        ({"sum": 1, "sum_agrees": True, "agrees": False, "fault": "a point is false"}, "a point"),
        ({"sum": 3, "sum_agrees": False}, "points are missing"),  # of an earlier version
        ({"sum": 1, "sum_agrees": True, "wrong_boxes": [{}]}, "points are missing"),
    ],
)
def test_gallery_and_manifest_say_that_an_audit_failed(
    record: Path, audit: dict[str, object], fault: str
) -> None:
    document = json.loads(record.read_text())
    verdict = document["verdict"] | {"method": "sampled", "audit": audit}
    record.write_text(json.dumps(document | {"verdict": verdict}))
    describe_folder(run_all(plan_of("x.yaml")))
    (figure,) = manifest(record.parent.parent)["figures"]  # type: ignore[misc,attr-defined]
    assert figure["audit"] == audit
    page = (record.parent / "index.html").read_text(encoding="utf-8")
    assert (f"{SIGNS['bad']}</i> audit: NOT COMPLETE, {fault}" in page) == bool(fault)


def test_a_manifest_before_the_run_says_that_it_is_not_complete(folder: Path) -> None:
    write_preset(folder / "x.yaml", ["a", "b"])
    plan = plan_of("x.yaml")
    describe_folder(Report.before(plan))
    assert manifest(folder) | {"generator": "", "version": ""} == {
        "generator": "",
        "version": "",
        "complete": False,
        "figures": [],
        "failures": [],
    }
    describe_folder(run_all(plan))
    assert manifest(folder)["complete"] is True


def test_a_figure_whose_files_are_gone_leaves_the_gallery(folder: Path) -> None:
    write_preset(folder / "x.yaml", ["a", "b"])
    report = run_all(plan_of("x.yaml"))
    (folder / "out/x-a.png").unlink()
    describe_folder(report)
    figures = manifest(folder)["figures"]
    assert isinstance(figures, list)
    assert [f["figure"] for f in figures] == ["x-b.png"]


# what workers do


def task_of(folder: Path, **changes: object) -> Task:
    write_preset(folder / "x.yaml", ["a"])
    (task,) = plan_of("x.yaml", options=Options(resolution=(5, 6))).tasks
    return replace(task, **changes)  # type: ignore[arg-type]


def test_a_task_writes_a_figure_and_a_record_that_fits(folder: Path) -> None:
    task = task_of(folder)
    made = make(task)
    assert isinstance(made, Record)
    assert read_record(folder / "out/x-a.json") == made
    assert made.key == task.key
    assert (folder / "out/x-a.png").read_bytes().startswith(b"\x89PNG")
    assert made.made_from["resolution"] == [5, 6]
    assert made.verdict["resolution"] == [5, 6]
    assert made.title == "A study"
    assert plan_of("x.yaml", options=Options(resolution=(5, 6))).missing == ()
    assert str(folder) not in (folder / "out/x-a.json").read_text()


def test_only_a_forced_task_overwrites_what_others_made(folder: Path) -> None:
    task = task_of(folder)
    (folder / "out").mkdir()
    for name in ("x-a.png", "x-a.json"):
        (folder / "out" / name).write_text("{}")
    refused = make(task)
    assert isinstance(refused, Failure)
    assert "was not made by surface" in refused.message
    assert isinstance(make(replace(task, force=True)), Record)
    assert read_record(folder / "out/x-a.json") is not None


def test_the_record_comes_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def note(path: Path, content: bytes, *, force: bool = False) -> None:
        written.append(path.name)

    monkeypatch.setattr("surfacecli.outputs.write_file", note)
    make(task_of(folder))
    assert written == ["x-a.png", "x-a.json"]


def test_a_preset_that_changed_since_the_plan_is_recorded_as_it_is_now(folder: Path) -> None:
    task = task_of(folder)
    text = (folder / "x.yaml").read_text()
    (folder / "x.yaml").write_text(text + "# later\n")
    made = make(task)
    assert isinstance(made, Record)
    assert made.key != task.key
    (folder / "x.yaml").write_text(text)
    assert plan_of("x.yaml", options=Options(resolution=(5, 6))).missing == (task,)


def test_errors_come_back_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = make(task_of(folder, slice="gone"))
    assert gone == Failure("x has no slice 'gone'; it has a")

    def fails(error: Exception) -> str:
        def examine(*_: object) -> None:
            raise error

        monkeypatch.setattr("surfacecli.study.Study.examine", examine)
        failure = make(task_of(folder))
        assert isinstance(failure, Failure)
        return failure.message

    assert fails(PresetError(["first", "second"])) == "first\nsecond"
    assert "smaller --resolution" in fails(MemoryError())
    assert "bug in surface: TypeError: what" in fails(TypeError("what"))
    assert not (folder / "out").exists()


def test_items_of_a_report_keep_the_order_of_the_plan(folder: Path) -> None:
    write_preset(folder / "x.yaml", ["c", "a", "b"])
    items = run_all(plan_of("x.yaml"), jobs=2).items
    assert [item.task.slice for item in items] == ["c", "a", "b"]
    assert all(isinstance(item, Item) for item in items)
