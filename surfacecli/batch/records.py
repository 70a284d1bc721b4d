"""What lies beside each figure of a batch: how it was made, and how to tell that it is still so."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from surfacecli import __version__
from surfacecli.errors import SurfaceError
from surfacecli.geometry.claim import Claim, Place
from surfacecli.outputs import MARK, json_text
from surfacecli.words import theorem_words

PACKAGE = Path(__file__).parent.parent
LARGEST_RECORD = 1 << 26  # bytes; a record has some ten thousand


@dataclass(frozen=True)
class Options:
    """The options of a batch; None leaves the choice to each preset."""

    style: str | None = None
    file_format: str = "png"
    resolution: tuple[int, int] | None = None
    seed: int | None = None
    size: str | None = None


@dataclass(frozen=True)
class Record:
    """A figure that was made: written beside it, as NAME.json, once the figure is complete.

    `figure` is the name of the file, `study` the preset's name made unique in the folder.
    `maxima` and `points` say in words what was found, `verdict` is the document of check-maxima.
    `key` changes with everything that the figure was made from.
    """

    name: str
    figure: str
    figure_sha256: str
    key: str
    study: str
    slice: str
    title: str
    seconds: float
    maxima: str
    points: str
    verdict: dict[str, Any]
    made_from: dict[str, Any]

    @property
    def claim(self) -> Claim:
        claim = self.verdict["claim"]
        return Claim(claim["applies"], claim["holds"], claim["reason"])

    @property
    def theorem(self) -> str:
        """What the theorem says, in few words."""
        return theorem_words(self.claim.applies, self.claim.holds)

    @property
    def fault(self) -> str:
        """What the audit of the points found wrong, in few words; empty where nothing.

        Records of earlier versions tell no more than whether the sum was right.
        """
        audit = self.verdict.get("audit")
        if not isinstance(audit, dict):
            return ""
        wrong = audit.get("sum_agrees") is False or bool(audit.get("wrong_boxes"))
        return str(audit.get("fault", "points are missing" if wrong else "") or "")

    @property
    def lowest(self) -> Place:
        """The lowest point known."""
        lowest = self.verdict["minimum"]
        return Place(lowest["u"], lowest["v"], lowest["error"])

    @property
    def file(self) -> str:
        """The name of the record's own file."""
        return f"{self.name}.json"

    def encode(self) -> bytes:
        """The content of the record's file."""
        return json_text({"generator": f"{MARK} {__version__}", **asdict(self)}).encode("ascii")


@cache
def digest_code(package: Path = PACKAGE) -> str:
    """A sha256 over the names and contents of the package's own sources, some 20 ms of work.

    Of two checkouts, or builds of them, the version may be the same and the figures not.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name, content = path.relative_to(package).as_posix().encode(), path.read_bytes()
        for part in (name, content):
            digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()


def make_key(preset: str, slice: str, files: Iterable[Path], options: dict[str, object]) -> str:
    """A sha256 over what a figure is made from: the bytes of all files read, options, our code.

    Raises `SurfaceError` where a file can no longer be read.
    """
    try:
        contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    except OSError as error:
        raise SurfaceError(f"{error.filename}: cannot be read: {error.strerror}") from error
    made_from = [__version__, digest_code(), preset, slice, contents, options]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def read_record(path: Path) -> Record | None:
    """The record in a file, or None: no record, a damaged one, or its figure is not as recorded."""
    try:
        if path.stat().st_size > LARGEST_RECORD:
            return None
        document = json.loads(path.read_bytes())
        if not str(document.pop("generator")).startswith(MARK):
            return None
        record = Record(**document)
        if not (_well_typed(record) and _well_typed(record.claim) and _well_typed(record.lowest)):
            return None
        if record.file != path.name:
            return None
        # `with_name` raises ValueError for anything but a plain name: no way out of the folder.
        figure = path.with_name(record.figure).read_bytes()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return record if hashlib.sha256(figure).hexdigest() == record.figure_sha256 else None


def read_records(folder: Path) -> dict[str, Record]:
    """All complete records of a folder by name, sorted."""
    records = (read_record(path) for path in sorted(folder.glob("*.json")) if path.is_file())
    return {record.name: record for record in records if record is not None}


def _well_typed(value: Record | Claim | Place) -> bool:
    """Whether each field of a dataclass holds what it is declared to hold."""
    hints = get_type_hints(type(value))
    return all(
        isinstance(getattr(value, field.name), get_origin(hints[field.name]) or hints[field.name])
        for field in fields(value)
    )
