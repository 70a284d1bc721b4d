"""Stand-ins for drawing, in a module that worker processes can import."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path

from surfacecli.batch.making import Failure, Task
from surfacecli.batch.records import Record
from surfacecli.outputs import MARK, write_file


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
    """Files of the right form without the half second of drawing; slices named bad* fail.

    Those named violated* violate the theorem, and the audits of those named doubtful* fail.
    """
    if task.slice.startswith("bad"):
        return Failure("this slice is bad")
    content = MARK.encode() + task.key.encode() * 5000
    write_file(Path(task.folder) / task.figure, content, force=task.force)
    record = record_of(task, content, holds=not task.slice.startswith("violated"))
    if task.slice.startswith("doubtful"):
        audit = {"sum": 3, "agrees": False, "fault": "points are missing"}
        record = replace(record, verdict=record.verdict | {"audit": audit})
    write_file(Path(task.folder) / record.file, record.encode(), force=task.force)
    return record


def slow_stand_in(task: Task) -> Record | Failure:
    time.sleep(0.02)
    return stand_in(task)


def stand_in_interrupted_late(task: Task) -> Record | Failure:
    """Ctrl-C when the second slice is done, before anyone hears of it."""
    record = stand_in(task)
    if task.slice == "b":
        raise KeyboardInterrupt
    return record


def interrupted_stand_in(task: Task) -> Record | Failure:
    """Ctrl-C while the third slice is at work."""
    if task.slice == "c":
        raise KeyboardInterrupt
    return stand_in(task)
