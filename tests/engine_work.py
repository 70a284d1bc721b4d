"""What the engine's workers do in tests: a module that loads nothing heavy."""

import os
import signal
import sys
import time
from pathlib import Path

#: What lets another process import this module.
HERE = {
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
}


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
    time.sleep(60)
