"""Many small tasks on several processes, behind the interface of `concurrent.futures`.

An engine is an `Executor`. Here it is this process itself or a pool of worker processes; Dask's
(`Client.get_executor()`) and MPI's (`MPIPoolExecutor`) are executors too and can take its place.
Tasks and results are pickled, and the function must stand in a module that can be imported.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from surfacecli.threads import VARIABLES, pin_blas_threads

Task = TypeVar("Task")
Value = TypeVar("Value")

#: More workers than this one pool cannot wait for on Windows.
MOST_ON_WINDOWS = 61


class LostTaskError(Exception):
    """A task whose worker process died, the second time with no other task in flight."""


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


@contextmanager
def open_engine(jobs: int) -> Iterator[Executor]:
    """An executor with `jobs` workers; with one, tasks run in this process, one after another.

    On leaving after an error or Ctrl-C, what has not started is cancelled and workers are ended
    at once, in the middle of what they do.
    """
    if jobs < 1:
        raise ValueError(f"{jobs} workers cannot do anything; take 1 or more")
    engine: SerialExecutor | WorkerPool = SerialExecutor() if jobs == 1 else WorkerPool(jobs)
    try:
        yield engine
    except BaseException:
        engine.stop()
        raise
    engine.shutdown()


def run(
    executor: Executor,
    function: Callable[[Task], Value],
    tasks: Iterable[Task],
    in_flight: int,
    on_start: Callable[[Task], None] = lambda _task: None,
) -> Iterator[tuple[Task, Value | Exception]]:
    """Each task with the value of `function` or the error it raised, in the order they end.

    At most `in_flight` tasks are handed out at a time. When a worker dies, all tasks in flight are
    lost with it, and none of them can be blamed: each is tried once more, alone. A task that loses
    its worker again ends as `LostTaskError`.
    """
    waiting = iter(tasks)
    retries: deque[Task] = deque()
    running: dict[Future[Value], Task] = {}
    alone = False

    def hand_out(task: Task) -> None:
        on_start(task)
        running[executor.submit(function, task)] = task

    while True:
        if retries:
            if not running:
                alone = True
                hand_out(retries.popleft())
        else:
            while len(running) < in_flight and not (alone and running):
                alone = False
                try:
                    task = next(waiting)
                except StopIteration:
                    break
                hand_out(task)
        if not running:
            return
        ended, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in ended:
            task = running.pop(future)
            try:
                outcome: Value | Exception = future.result()
            except BrokenExecutor:
                if not alone:
                    retries.append(task)
                    continue
                outcome = LostTaskError("its worker process died")
            except Exception as error:
                outcome = error
            yield task, outcome


class SerialExecutor(Executor):
    """Runs each task when it is submitted, in this process: debuggers and tests see through."""

    def submit(
        self, fn: Callable[..., Value], /, *arguments: Any, **keywords: Any
    ) -> Future[Value]:
        future: Future[Value] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*arguments, **keywords))
        except Exception as error:
            future.set_exception(error)
        return future

    def stop(self) -> None:
        """Nothing runs any more."""


class WorkerPool(Executor):
    """A process pool that is made anew after a worker died, instead of refusing all that follows.

    Never forked: a copy of a process with threads in it can hang.
    """

    def __init__(self, workers: int) -> None:
        self._workers = min(workers, MOST_ON_WINDOWS) if sys.platform == "win32" else workers
        self._pool = self._make_pool()

    def submit(
        self, fn: Callable[..., Value], /, *arguments: Any, **keywords: Any
    ) -> Future[Value]:
        try:
            return self._pool.submit(fn, *arguments, **keywords)
        except BrokenProcessPool:
            self._pool.shutdown(wait=False)
            self._pool = self._make_pool()
            return self._pool.submit(fn, *arguments, **keywords)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def stop(self) -> None:
        """Cancel what has not started and end the workers at once."""
        # Python 3.14 has terminate_workers; before, the pool shows its processes to no one.
        workers = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()

    def _make_pool(self) -> ProcessPoolExecutor:
        method = "spawn"
        if "forkserver" in multiprocessing.get_all_start_methods():
            method = "forkserver"
            _start_fork_server()
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context(method),
            initializer=_prepare_worker,
            initargs=({name: os.environ[name] for name in VARIABLES if name in os.environ},),
        )


def _start_fork_server() -> None:
    """Start the process that workers are forked from, deaf to Ctrl-C as they are to be.

    Ctrl-C in a terminal goes to all processes; this one alone decides what becomes of it.
    """
    from multiprocessing import forkserver, resource_tracker  # not on Windows

    resource_tracker.ensure_running()  # the server would start it, and it clears the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker(threads: dict[str, str]) -> None:
    """Before a worker's first task: BLAS threads as here, deaf to Ctrl-C, no life of its own."""
    os.environ.update(threads)
    pin_blas_threads()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def leave_with_parent() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=leave_with_parent, daemon=True).start()
