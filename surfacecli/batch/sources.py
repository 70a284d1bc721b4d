"""Which presets a batch is about: names, files, folders and patterns become files."""

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from surfacecli.errors import PresetError, SurfaceError
from surfacecli.reading.problems import shown_path
from surfacecli.reading.shipped import SUFFIXES, is_safe_name, preset_path, shipped_folder


@dataclass(frozen=True)
class Trouble:
    """What could not be used or made: where, and why."""

    where: str
    message: str


def find_presets(sources: Iterable[str]) -> tuple[list[Path], list[Trouble]]:
    """The preset files of `sources`, each once, in the order given; and what names no preset.

    A source is the name of a shipped preset, a file, a folder (all *.yaml and *.yml directly in
    it), the name of a shipped folder, or a pattern with *, ? or [] (** for any depth).
    """
    found: dict[Path, Path] = {}
    troubles: dict[str, Trouble] = {}
    for source in sources:
        try:
            paths = _files_of(source)
        except SurfaceError as error:
            troubles[source] = Trouble(source, str(error))
            continue
        for path in paths:
            # Of several names for one file the first in the alphabet stays, whatever the order.
            real = path.resolve()
            found[real] = min(found.get(real, path), path)
    return list(found.values()), list(troubles.values())


def _files_of(source: str) -> list[Path]:
    try:
        path = preset_path(source)
    except PresetError:
        if is_safe_name(source) and _presets_in(shipped_folder() / source):
            return _presets_in(shipped_folder() / source)
        if not glob.has_magic(source):
            raise
        return _matches(source)
    if not path.is_dir():
        return [path]
    try:
        os.scandir(path).close()
    except OSError as error:
        reason = error.strerror or error
        raise SurfaceError(f"{shown_path(path)}: the folder cannot be read: {reason}") from error
    presets = _presets_in(path)
    if not presets:
        raise SurfaceError(
            f"{shown_path(path)}: the folder holds no .yaml file; name one that does, "
            "or a pattern such as 'folder/**/*.yaml'"
        )
    return presets


def _presets_in(folder: Path) -> list[Path]:
    return _only_presets(folder.iterdir()) if folder.is_dir() else []


def _matches(pattern: str) -> list[Path]:
    presets = _only_presets(map(Path, glob.iglob(pattern, recursive=True)))
    if not presets:
        raise SurfaceError(f"{shown_path(Path(pattern))}: no .yaml file matches this pattern")
    return presets


def _only_presets(paths: Iterable[Path]) -> list[Path]:
    return sorted(p for p in paths if p.suffix.lower() in SUFFIXES and p.is_file())
