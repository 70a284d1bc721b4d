"""The README's commands with their output: run by a test, and written anew by running this file.

A console block holds lines `$ surface ...`, each followed by what it prints on standard output; a
python block may be followed by a text block with what it prints.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from surfacecli.cli import surface

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)
#: Seconds at the end of a table's line differ from run to run.
SECONDS = re.compile(r" +\d+\.\d$", re.M)


@dataclass(frozen=True)
class Example:
    """One command or program of the README and the output that stands there."""

    source: str
    expected: str


def examples(text: str) -> list[Example]:
    """All examples in order; a console block gives one for each command."""
    found = []
    for kind, body, output in BLOCK.findall(text):
        if kind == "python":
            found.append(Example(body, output))
            continue
        for part in re.split(r"^(?=\$ )", body, flags=re.M):
            if part:
                command, _, printed = part.partition("\n")
                found.append(Example(command, printed))
    return found


def run(source: str) -> str:
    """What an example prints, run in the current folder. A command must end with status 0."""
    if not source.startswith("$ "):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "README.md", "exec"), {})
        return printed.getvalue()
    program, *arguments = shlex.split(source[2:])
    assert program == "surface"
    result = CliRunner().invoke(surface, arguments)
    assert result.exit_code == 0, (source, result.output)
    return result.stdout


def rewrite() -> None:
    """Put the real output under every command of the README, and its pictures into outputs."""
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        outputs = iter([run(example.source) for example in examples(text)])

        def filled(match: re.Match[str]) -> str:
            kind, body, _ = match.groups()
            if kind == "python":
                return f"```python\n{body}```\n\n```text\n{next(outputs)}```\n"
            commands = [line for line in body.splitlines() if line.startswith("$ ")]
            parts = [f"{command}\n{next(outputs)}" for command in commands]
            return f"```console\n{''.join(parts)}```\n"

        README.write_text(BLOCK.sub(filled, text), encoding="utf-8")
        pictures = README.parent / "outputs" / "readme"
        pictures.mkdir(exist_ok=True)
        for name in re.findall(r"\(outputs/readme/([^)]+)\)", text):
            (pictures / name).write_bytes((Path(folder) / "outputs" / name).read_bytes())


if __name__ == "__main__":
    sys.exit(rewrite())
