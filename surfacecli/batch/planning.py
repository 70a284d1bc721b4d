"""What a batch has to do: every slice of every preset, by name, and what is done already."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from surfacecli.batch.making import Task, explain, key_of, read_study
from surfacecli.batch.records import Options, Record, read_record
from surfacecli.batch.sources import Trouble, find_presets
from surfacecli.reading.problems import shown_path
from surfacecli.reading.shipped import shipped_folder

LONGEST_FOLDER = 40  # letters of a folder's name that a file's name takes


@dataclass(frozen=True)
class Plan:
    """The tasks of a batch in the order asked for; `done` holds the records that are as they
    would be made now, by the names of their tasks. `troubles` are sources that give no task,
    `remarks` what the user should know before it starts.
    """

    folder: Path
    tasks: tuple[Task, ...]
    done: dict[str, Record]
    troubles: tuple[Trouble, ...]
    remarks: tuple[str, ...]

    @property
    def missing(self) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.name not in self.done)


def make_plan(sources: Sequence[str], folder: Path, options: Options, force: bool = False) -> Plan:
    """Plan a batch of presets (see `find_presets`) with files in `folder`.

    With `force` nothing counts as done. A preset that cannot be read is one of the troubles.
    """
    paths, troubles = find_presets(sources)
    studies = name_studies(paths)
    remarks: list[str] = []
    tasks: dict[Path, list[Task]] = {}
    for path in paths:
        try:
            study = read_study(str(path), options)
            announcement, slices = study.announcement(), study.drawable
            left_out = ", ".join(s.name for s in study.slices if s not in slices)
            tasks[path] = [
                Task(
                    source=str(path),
                    slice=slice.name,
                    study=studies[path],
                    name=f"{studies[path]}-{slice.name}",
                    folder=str(folder),
                    options=options,
                    key=key_of(study, slice.name, options),
                    force=force,
                )
                for slice in slices
            ]
        except Exception as error:
            troubles.append(Trouble(shown_path(path), explain(error)))
        else:
            cells = f"left out, without exact cells: {left_out}" if left_out else None
            told = (*study.remarks, announcement, cells)
            remarks += [f"{studies[path]}: {remark}" for remark in told if remark]
    named = _tell_apart(tasks)
    done = {} if force else find_done(named)
    return Plan(folder, named, done, tuple(troubles), tuple(remarks))


def name_studies(paths: Iterable[Path]) -> dict[Path, str]:
    """A name for each preset file: its stem, or FOLDER-STEM where another has taken the stem.

    Shipped presets come first, then the paths in the order of the alphabet, so that the order of
    the arguments decides nothing. Capital and small letters count as the same, as on some disks.
    """
    taken: set[str] = set()
    names: dict[Path, str] = {}
    for path in sorted(paths, key=_rank):
        name = next(name for name in _candidates(path) if name.lower() not in taken)
        taken.add(name.lower())
        names[path] = name
    return names


def _rank(path: Path) -> tuple[bool, str]:
    absolute = path.absolute()
    return absolute.parent != shipped_folder(), absolute.as_posix()


def _candidates(path: Path) -> Iterable[str]:
    """STEM, FOLDER-STEM, FOLDER-FOLDER-STEM and so on up, then with numbers."""
    name = path.stem
    yield name
    for folder in path.absolute().parents:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name)[:LONGEST_FOLDER].strip(".-")
        if plain and len(plain) + len(name) < 2 * LONGEST_FOLDER + 20:
            name = f"{plain}-{name}"
            yield name
    yield from (f"{name}-{number}" for number in count(2))


def _tell_apart(tasks: dict[Path, list[Task]]) -> tuple[Task, ...]:
    """The tasks in their order, those with a name that another has taken renamed NAME-2 and on.

    'a' with slice 'b-c' and 'a-b' with slice 'c' are such a pair.
    """
    taken: set[str] = set()
    for path in sorted(tasks, key=_rank):
        for position, task in enumerate(tasks[path]):
            names = (f"{task.name}-{n}" if n > 1 else task.name for n in count(1))
            name = next(name for name in names if name.lower() not in taken)
            taken.add(name.lower())
            tasks[path][position] = replace(task, name=name)
    return tuple(task for group in tasks.values() for task in group)


def find_done(tasks: Iterable[Task]) -> dict[str, Record]:
    """The records, by name, of the tasks whose figures are as they would be made now."""
    records = ((task, read_record(Path(task.folder) / f"{task.name}.json")) for task in tasks)
    return {
        task.name: record
        for task, record in records
        if record is not None and (record.key, record.figure) == (task.key, task.figure)
    }
