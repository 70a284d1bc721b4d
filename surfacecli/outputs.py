"""The one place that writes files: complete or not at all, and nothing that is not ours."""

import hashlib
import json
import os
import platform
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path

import numpy as np

from surfacecli.errors import SurfaceError
from surfacecli.formats.mark import MARK

__all__ = ["MARK", "inside", "json_text", "made_by_us", "write_file"]

# The mark is looked for this far from either end of a file.
SEARCHED = 1 << 16
# Device names that Windows keeps for itself, whatever the suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
LONGEST_NAME = 255  # bytes, on the usual file systems


def write_file(path: Path, content: bytes, *, force: bool = False) -> None:
    """Write a whole file, or leave everything as it was.

    The bytes go to a temporary file in the same folder (made where it is missing), reach the disk,
    and then take the name in one step. A symbolic link is replaced, never followed. Leftovers of
    killed runs that wrote the same file are removed.

    Raises `SurfaceError` where `path` exists and does not hold the mark, unless `force`; where it
    is no regular file, whatever `force`; and where the system refuses.
    """
    doing = f"write {_shown(path)}"
    try:
        _refuse_foreign(path, force)
        doing = f"make the folder {_shown(path.parent)}"
        path.parent.mkdir(parents=True, exist_ok=True)
        doing = f"write {_shown(path)}"
        _remove_leftovers(path)
        _replace(path, content)
    except (OSError, ValueError) as problem:  # ValueError: a name that no system call takes
        reason = getattr(problem, "strerror", None) or str(problem)
        raise SurfaceError(f"cannot {doing}: {reason}; choose another place") from problem


def made_by_us(path: Path) -> bool:
    """Whether `path` is a regular file with the mark in its first or last 64 KiB."""
    with suppress(OSError, ValueError):
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
            return False
        with path.open("rb") as file:
            mark = MARK.encode("ascii")
            if mark in file.read(SEARCHED):
                return True
            file.seek(-min(SEARCHED, file.seek(0, os.SEEK_END)), os.SEEK_END)
            return mark in file.read(SEARCHED)
    return False


def inside(folder: Path, name: str) -> Path:
    """`folder`/`name` for the name of a file that may come from a preset.

    Raises `SurfaceError` for a name that would leave the folder, be hidden, or that a usual system
    refuses. Only the letters are looked at: `write_file` follows no link in the last place.
    """
    problem = _name_problem(name)
    if problem is not None:
        raise SurfaceError(f"{name!r} cannot name a file in {_shown(folder)}: {problem}")
    return folder / name


def json_text(document: object) -> str:
    """A document as JSON: in the order given, two spaces deep, ASCII, a line break at the end.

    NaN and infinities become null; numpy scalars and arrays become plain numbers and lists.
    """
    return json.dumps(_plain(document), indent=2, allow_nan=False) + "\n"


def _refuse_foreign(path: Path, force: bool) -> None:
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode):
        raise SurfaceError(f"cannot write {_shown(path)}: it is a folder; name a file in it")
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise SurfaceError(
            f"cannot write {_shown(path)}: it is a device or a pipe; name a regular file"
        )
    if not force and not made_by_us(path):
        raise SurfaceError(
            f"{_shown(path)} exists and was not made by surface; "
            "choose another name or folder, or give --force to overwrite it"
        )


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{_prefix(path)}{os.getpid()}.{secrets.token_hex(4)}.tmp")
    # Not the tempfile module: its files are readable by their owner alone, and stay so.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        with suppress(OSError):
            temporary.unlink()
        raise


def _prefix(path: Path) -> str:
    """How the temporary files of `path` begin: with the machine, whose process ids they bear."""
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME - 64:  # leave room for the rest of the temporary name
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f".{name}.{machine}."


def _remove_leftovers(path: Path) -> None:
    prefix = _prefix(path)
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(prefix)]
    for name in names:
        rest = re.fullmatch(r"([0-9]{1,9})\.[0-9a-f]{8}\.tmp", name.removeprefix(prefix))
        if rest is not None and not _alive(int(rest[1])):
            with suppress(OSError):
                path.with_name(name).unlink()


def _alive(process: int) -> bool:
    if os.name != "posix":  # there, signal 0 is no question but an end
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it lives and is someone else's
        return True
    return True


def _name_problem(name: str) -> str | None:
    if not name:
        return "it is empty"
    found = FORBIDDEN.search(name)
    if found is not None:
        return f"it holds {found[0]!r}"
    if name.startswith("."):
        return "it begins with a dot"
    if name != name.strip() or name.endswith("."):
        return "it begins or ends with a blank, or ends with a dot"
    if RESERVED.fullmatch(name):
        return "some systems keep that name for a device"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if length > LONGEST_NAME:
        return f"it has {length} bytes; {LONGEST_NAME} is the most"
    return None


def _shown(path: Path) -> str:
    """A path as a message can print it: a control character in it could forge a line."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
