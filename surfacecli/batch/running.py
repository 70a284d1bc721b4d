"""RUNS a batch: the tasks of a plan on an engine, and what came of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from surfacecli.batch.making import Failure, Task, explain, make
from surfacecli.batch.planning import Plan, find_done
from surfacecli.batch.records import Record
from surfacecli.batch.sources import Trouble
from surfacecli.engine import LostTaskError, available_cores, open_engine, run
from surfacecli.progress import Progress

Status = Literal["made", "unchanged", "failed", "left"]


@dataclass(frozen=True)
class Item:
    """What came of a task. `record` where its figure is complete, `message` where it failed."""

    task: Task
    status: Status
    record: Record | None = None
    message: str = ""


@dataclass(frozen=True)
class Report:
    """What came of a batch: one item for each task of its plan, in order."""

    plan: Plan
    items: tuple[Item, ...]
    interrupted: bool = False

    @classmethod
    def before(cls, plan: Plan) -> "Report":
        """The report of a plan of which nothing is done yet."""
        return cls(plan, _items(plan, {}))

    def count(self, status: Status) -> int:
        return sum(item.status == status for item in self.items)

    @property
    def failures(self) -> tuple[Trouble, ...]:
        """What failed: sources first, then tasks."""
        failed = (item for item in self.items if item.status == "failed")
        return (*self.plan.troubles, *(Trouble(item.task.name, item.message) for item in failed))

    @property
    def violated(self) -> bool:
        """Whether a figure's slice was found to violate the theorem."""
        return any(item.record is not None and item.record.claim.violated for item in self.items)


def choose_jobs(plan: Plan, jobs: int | None = None) -> int:
    """How many workers: as many as wanted, or as there are cores; no more than tasks."""
    return max(1, min(jobs or available_cores(), len(plan.missing)))


def run_batch(
    plan: Plan,
    progress: Progress,
    jobs: int | None = None,
    work: Callable[[Task], Record | Failure] = make,
) -> Report:
    """Do what a plan is missing on `jobs` processes (default: the cores); one fails, others go on.

    Ctrl-C ends the workers and gives the report of what was done until then. `work` is what is
    done with a task; it must stand in a module that can be imported.
    """
    ended: dict[str, Item] = {}
    interrupted = False
    jobs = choose_jobs(plan, jobs)
    try:
        with open_engine(jobs) as engine:
            for task, outcome in run(
                engine, work, plan.missing, jobs, lambda task: progress.began(task.name)
            ):
                item = ended[task.name] = _judge(task, outcome)
                progress.ended(task.name, _in_words(item))
    except KeyboardInterrupt:
        interrupted = True
        # Some may have been finished and not reported any more. Forced ones look alike before.
        late = [task for task in plan.missing if task.name not in ended and not task.force]
        records = find_done(late)
        ended |= {t.name: Item(t, "made", records[t.name]) for t in late if t.name in records}
    return Report(plan, _items(plan, ended), interrupted)


def _items(plan: Plan, ended: dict[str, Item]) -> tuple[Item, ...]:
    return tuple(
        Item(task, "unchanged", plan.done[task.name])
        if task.name in plan.done
        else ended.get(task.name, Item(task, "left"))
        for task in plan.tasks
    )


def _judge(task: Task, outcome: Record | Failure | Exception) -> Item:
    if isinstance(outcome, Record):
        return Item(task, "made", outcome)
    if isinstance(outcome, Failure):
        return Item(task, "failed", message=outcome.message)
    if isinstance(outcome, LostTaskError):
        message = f"{outcome} (out of memory?); try --jobs 1 or a smaller --resolution"
        return Item(task, "failed", message=message)
    return Item(task, "failed", message=explain(outcome))


def _in_words(item: Item) -> str:
    if item.record is None:
        return f"failed: {item.message}"
    return f"{item.record.theorem}, {item.record.seconds:.1f} s"
