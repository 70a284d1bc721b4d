"""Tasks on processes: each ends once, whatever happens to the workers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import engine_work
import pytest

from surfacecli.engine import LostTaskError, available_cores, open_engine, run

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A zombie answers too: nobody here collects the children of a killed parent.
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_every_task_ends_once_with_its_value(jobs: int) -> None:
    with open_engine(jobs) as engine:
        ended = list(run(engine, engine_work.double, range(20), jobs))
    assert sorted(ended) == [(n, 2 * n) for n in range(20)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_an_outcome_and_the_rest_goes_on(jobs: int) -> None:
    with open_engine(jobs) as engine:
        ended = dict(run(engine, engine_work.fail_on_odd, range(6), jobs))
    assert [ended[n] for n in (0, 2, 4)] == [0, 2, 4]
    for n in (1, 3, 5):
        assert isinstance(ended[n], ValueError)
        assert str(ended[n]) == f"{n} is odd"


def test_any_executor_will_do() -> None:
    with ThreadPoolExecutor(2) as executor:
        ended = dict(run(executor, engine_work.double, range(5), 3))
    assert ended == {n: 2 * n for n in range(5)}


def test_one_job_runs_in_this_process() -> None:
    with open_engine(1) as engine:
        ((_, found),) = run(engine, engine_work.where_am_i, [0], 1)
    assert isinstance(found, dict)
    assert found["process"] == os.getpid()


def test_no_engine_without_workers() -> None:
    with pytest.raises(ValueError, match="1 or more"), open_engine(0):
        pass


@posix
@pytest.mark.parametrize(("here", "there"), [(None, "1"), ("3", "3")])
def test_workers_are_prepared(
    monkeypatch: pytest.MonkeyPatch, here: str | None, there: str
) -> None:
    if here is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", here)
    with open_engine(2) as engine:
        ((_, found),) = run(engine, engine_work.where_am_i, [0], 2)
    assert isinstance(found, dict)
    assert found["process"] != os.getpid()
    assert found["threads"] == there
    assert not found["numpy"]  # or the number of threads would come too late
    assert found["deaf"]
    assert found["blocked"]


class Slow(Executor):
    """Ends its tasks only when it is told to."""

    def __init__(self) -> None:
        self.open: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.open.append(future)
        return future


def test_a_bounded_window_is_in_flight_and_tasks_are_taken_as_needed() -> None:
    engine, taken, started = Slow(), [], []

    def tasks() -> Iterator[int]:
        for n in range(7):
            taken.append(n)
            yield n

    running = run(engine, engine_work.double, tasks(), 3, started.append)
    for n in range(7):
        # What `next` waits for is ended by another thread, once the window is full.
        def end_one(n: int = n) -> None:
            assert wait_until(lambda: len(taken) == min(n + 3, 7))
            engine.open[n].set_result("done")

        thread = threading.Thread(target=end_one)
        thread.start()
        assert next(running) == (n, "done")
        thread.join()
        assert len(taken) == min(n + 3, 7)
    assert list(running) == []
    assert started == list(range(7))


@posix
def test_a_killed_worker_costs_one_task_alone(tmp_path: Path) -> None:
    names = ["a", "b", "die1", "c", "d", "die2", "e"]
    with open_engine(3) as engine:
        ended = dict(
            run(engine, engine_work.note_and_perhaps_die, [(str(tmp_path), n) for n in names], 3)
        )
    outcomes = {name: outcome for (_, name), outcome in ended.items()}
    assert {n for n, outcome in outcomes.items() if isinstance(outcome, LostTaskError)} == {
        "die1",
        "die2",
    }
    assert all(outcomes[n] == n for n in "abcde")
    attempts = {n: len((tmp_path / n).read_text()) for n in names}
    # A task in flight that had not started when another died is not tried a third time either.
    assert max(attempts.values()) <= 2


@posix
def test_leaving_with_an_error_ends_the_workers_at_once(tmp_path: Path) -> None:
    def interrupted() -> None:
        with open_engine(2) as engine:
            for _ in range(5):
                engine.submit(engine_work.sleep_long, str(tmp_path))
            assert wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - start < 20
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    assert wait_until(lambda: not any(map(alive, workers)))


@posix
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, engine_work\n"
        "from surfacecli.engine import open_engine\n"
        "with open_engine(2) as engine:\n"
        "    for _ in range(2):\n"
        "        engine.submit(engine_work.sleep_long, sys.argv[1])\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        env=os.environ | engine_work.HERE,
    )
    try:
        assert wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert wait_until(lambda: not any(map(alive, workers)))


def test_the_cores_are_those_of_this_process() -> None:
    if hasattr(os, "sched_getaffinity"):
        assert available_cores() == len(os.sched_getaffinity(0))
    assert available_cores() >= 1
