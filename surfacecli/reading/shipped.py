"""Where presets are: the ones that ship, found by name, and files of the user's own.

Standard library only: shell completion and `surface presets list` must start at once.
"""

import os
import re
from pathlib import Path

from surfacecli.errors import PresetError
from surfacecli.reading.problems import guess, in_words, shown_path

SUFFIXES = (".yaml", ".yml")
LARGEST_FILE = 1_000_000  # bytes; a preset has some hundreds
#: Names of presets and slices become names of files, so they can never leave a folder.
SAFE_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}"
NAME_RULE = "letters, digits, '.', '_' and '-', at most 100, not starting with a dot"


def is_safe_name(name: str) -> bool:
    """Whether a name may become the name of a file."""
    return re.fullmatch(SAFE_NAME, name) is not None


def shipped_folder() -> Path:
    """The folder of the presets that ship: inside the installed package, or in the checkout.

    An editable install leaves the presets at the top of the repository.
    """
    package = Path(__file__).resolve().parent.parent
    inside = package / "presets"
    if inside.is_dir():
        return inside
    beside = package.parent / "presets"
    if beside.is_dir() and (package.parent / "pyproject.toml").is_file():
        return beside
    raise PresetError(["the shipped presets are missing from this installation; install it again"])


def shipped_presets() -> list[str]:
    """The names of the presets that ship, sorted. Folders below hold no names."""
    return sorted(path.stem for path in shipped_folder().glob("*.yaml"))


def bundled_data() -> list[str]:
    """The names of the data sets that ship, sorted."""
    return sorted(path.stem for path in (shipped_folder() / "data").glob("*.npz"))


def bundled_data_path(name: str) -> Path:
    """The file of a data set that ships; `name` is one of `bundled_data`."""
    return shipped_folder() / "data" / f"{name}.npz"


def preset_path(source: str | Path) -> Path:
    """The file of a preset: a shipped name first, else the path itself.

    Raises `PresetError` where there is no such preset and no such file.
    """
    text = str(source)
    is_name = is_safe_name(text) and not text.lower().endswith(SUFFIXES)
    names = shipped_presets()
    if is_name and text in names:
        return shipped_folder() / f"{text}.yaml"
    path = Path(source)
    if text and "\0" not in text and os.path.lexists(path):
        return path
    what = f"{shown_path(path)}: no such file"
    if is_name or not text:
        what = f"no preset is named '{text}'"
    offer = f"shipped are {in_words(names, 'and')}; or give the path of a YAML file"
    raise PresetError([f"{what}; {guess(path.stem, names, offer)}"])


def read_text(path: Path) -> str:
    """The text of a preset file. Raises `PresetError` where it cannot be read as UTF-8 text."""

    def refuse(what: str) -> PresetError:
        return PresetError([f"{shown_path(path)}: {what}"])

    try:
        if path.is_dir():
            raise refuse("this is a folder; name a YAML file in it")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror or error}") from error
    if len(content) > LARGEST_FILE:
        raise refuse("larger than 1 MB; a preset is a short text, arrays go into .npz files")
    if b"\0" in content:
        raise refuse("this is no text file; a preset is YAML in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PresetError(
            [f"{shown_path(path)}:{line}: this line is not UTF-8; save the file as UTF-8"]
        ) from error


def starter_text() -> str:
    """The YAML text of a commented preset to start from."""
    return Path(__file__).with_name("starter.yaml").read_text(encoding="utf-8")
