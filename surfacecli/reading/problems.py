"""What is wrong with a preset, printed as `file:line:column: key.path: what`."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Keys and list positions (from 0) that lead to a value of the preset.
KeyPath = tuple[str | int, ...]
#: Line and column, both from 1.
Mark = tuple[int, int]

LONGEST_SHOWN = 60
MOST_SHOWN = 100


@dataclass(frozen=True)
class Problem:
    """What is wrong with the value at `path`; `mark` is given where the path does not tell."""

    what: str
    path: KeyPath = ()
    mark: Mark | None = None
    at_key: bool = False


def place(problem: Problem, values: Mapping[KeyPath, Mark], keys: Mapping[KeyPath, Mark]) -> Mark:
    """The line and column of a problem: its own mark, its key's, its value's or the parent's.

    Values behind an alias have no marks of their own: the place of the alias stands for them.
    """
    if problem.mark is not None:
        return problem.mark
    if problem.at_key and problem.path in keys:
        return keys[problem.path]
    path = problem.path
    while path and path not in values:
        path = path[:-1]
    return values.get(path, (1, 1))


def print_problems(
    file: Path,
    problems: Iterable[Problem],
    values: Mapping[KeyPath, Mark],
    keys: Mapping[KeyPath, Mark],
) -> list[str]:
    """One line per problem, sorted by place; the first of several at one key is enough."""
    first: dict[tuple[KeyPath, Mark], Problem] = {}
    for problem in problems:
        first.setdefault((problem.path, place(problem, values, keys)), problem)
    lines: list[str] = []
    for (path, (line, column)), problem in sorted(first.items(), key=lambda item: item[0][1]):
        if len(lines) == MOST_SHOWN:
            lines.append(f"{shown_path(file)}: and {len(first) - MOST_SHOWN} more")
            break
        key = f"{dotted(path)}: " if path else ""
        lines.append(f"{shown_path(file)}:{line}:{column}: {key}{problem.what}")
    return lines


def dotted(path: KeyPath) -> str:
    """The path as text: slices.E1.layer; list positions count from 1 as layers do."""
    return ".".join(str(part + 1) if isinstance(part, int) else shown_key(part) for part in path)


def shown_key(key: str) -> str:
    """A key for a message: quoted where it holds anything unprintable, cut where it is long."""
    text = key if key.isprintable() and key else repr(key)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."


def shown_path(path: Path) -> str:
    """A path as the user gave it, relative to the working folder where it lies inside."""
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return str(path) if str(path).isprintable() else repr(str(path))


def guess(word: str, choices: Iterable[str], offer: str = "") -> str:
    """'did you mean ...?' where a choice is near to a mistyped word, then what is on offer."""
    near = difflib.get_close_matches(word[:LONGEST_SHOWN], list(choices), n=1)
    if not near:
        return offer
    return f"did you mean '{near[0]}'? {offer[:1].upper()}{offer[1:]}".rstrip()


def in_words(choices: Iterable[object], last: str = "or") -> str:
    """'a', 'a or b', 'a, b or c'."""
    words = [str(choice) for choice in choices]
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
