"""What workers of the tests do: functions that worker processes can import, quick to load."""

import hashlib
import os
import signal
import sys
import time
from pathlib import Path

from surfacecli.batch.making import Failure, Task
from surfacecli.batch.records import Record
from surfacecli.outputs import MARK, write_file


def double(number: int) -> int:
    return 2 * number


def fail_on_odd(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


def where_am_i(_task: object) -> dict[str, object]:
    return {
        "process": os.getpid(),
        "numpy": "numpy" in sys.modules,
        "threads": os.environ.get("OPENBLAS_NUM_THREADS"),
        "deaf": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "blocked": signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []),
    }


def note_and_perhaps_die(task: tuple[str, str]) -> str:
    """Leave a note for each attempt at NAME in a folder; 'die' dies as from lack of memory."""
    folder, name = task
    with (Path(folder) / name).open("a") as file:
        file.write("x")
    if name.startswith("die"):
        time.sleep(0.1)  # so that others are in flight
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return name


def sleep_long(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(600)


def record_of(task: Task, content: bytes, applies: bool = True, holds: bool = True) -> Record:
    return Record(
        name=task.name,
        figure=task.figure,
        figure_sha256=hashlib.sha256(content).hexdigest(),
        key=task.key,
        study=task.study,
        slice=task.slice,
        title="A title",
        seconds=0.25,
        maxima="1 kinked maximum",
        points="2 smooth minima",
        verdict={
            "kind": "within-layer",
            "claim": {"applies": applies, "holds": holds, "reason": "said so"},
            "method": "sampled",
            "minimum": {"u": 0.5, "v": -0.5, "error": 1.5},
        },
        made_from={"preset": task.study},
    )


def stand_in(task: Task) -> Record | Failure:
    """Files of the right form without the half second of drawing; slices named bad* fail."""
    if task.slice.startswith("bad"):
        return Failure("this slice is bad")
    content = MARK.encode() + task.key.encode() * 5000
    write_file(Path(task.folder) / task.figure, content, force=task.force)
    record = record_of(task, content, holds=not task.slice.startswith("violated"))
    write_file(Path(task.folder) / record.file, record.encode(), force=task.force)
    return record


def slow_stand_in(task: Task) -> Record | Failure:
    time.sleep(0.02)
    return stand_in(task)


def interrupted_stand_in(task: Task) -> Record | Failure:
    """Ctrl-C while the third slice is at work."""
    if task.slice == "c":
        raise KeyboardInterrupt
    return stand_in(task)
