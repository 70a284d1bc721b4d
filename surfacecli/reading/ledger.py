"""What accrues while the objects of a preset are built: files read, seeds used, size, problems."""

from dataclasses import dataclass, field
from pathlib import Path

from surfacecli.reading.arrays import MOST_NUMBERS, Arrays, read_arrays
from surfacecli.reading.problems import KeyPath, Problem, shown_path


@dataclass(eq=False)
class Ledger:
    """Kept by the builders of network, data and slices, which never raise but note problems.

    `folder` is where relative file paths start; `seed`, where given, replaces every seed.
    """

    folder: Path
    seed: int | None = None
    problems: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    seeds: dict[str, int] = field(default_factory=dict)
    numbers: int = 0
    _known: dict[tuple[Path, str], Arrays | str] = field(default_factory=dict)

    def note(self, path: KeyPath, what: str) -> None:
        """One more problem, with the value at `path`."""
        self.problems.append(Problem(what, path))

    def draw(self, what: str, seed: int | None) -> int:
        """The seed that `what` is drawn from: the preset's, 0 by default."""
        self.seeds[what] = self.seed if self.seed is not None else seed or 0
        return self.seeds[what]

    def afford(self, count: int, path: KeyPath) -> bool:
        """Whether `count` more numbers of memory are still reasonable; a problem where not."""
        total = self.numbers + count
        if total <= MOST_NUMBERS:
            self.numbers = total
            return True
        self.note(
            path,
            f"this brings weights, data and directions to {total:.2g} numbers; "
            f"at most {MOST_NUMBERS:.0e} are allowed, take fewer or smaller ones",
        )
        return False

    def arrays(self, file: Path, wanted: str, path: KeyPath) -> Arrays | None:
        """The arrays of a file, read once; None, and a problem at `path`, where it is no good."""
        key = (file, wanted)
        if key not in self._known:
            if file not in self.files:
                self.files.append(file)
            try:
                self._known[key] = read_arrays(file, wanted)
            except ValueError as error:
                self._known[key] = f"{shown_path(file)}: {error}"
        arrays = self._known[key]
        if isinstance(arrays, str):
            self.note(path, arrays)
            return None
        return arrays
