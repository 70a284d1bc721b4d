"""Start-up of the `surface` command against `python -c "import click"`, as whole processes.

Run with the project installed:

    python benchmarks/startup.py [--runs 15]

All are started in turns; a ratio is that of the medians. `--help` may cost 2.5 times the import of
click. No command here may import numpy, matplotlib or any other heavy package.
"""

import argparse
import os
import subprocess
import sys
import time
from statistics import median

HEAVY = ("numpy", "matplotlib", "pydantic", "yaml", "rich")
WANTED = 2.5

CLICK = [sys.executable, "-c", "import click"]
#: What the `surface` script does; run by this interpreter, so that both start the same python.
SCRIPT = "import sys; from surfacecli.cli import main; sys.exit(main())"
COMMANDS = {
    "surface --help": (["--help"], {}),
    "surface plot --help": (["plot", "--help"], {}),
    "surface --version": (["--version"], {}),
    "completion of `surface pl`": (
        [],
        {"_SURFACE_COMPLETE": "bash_complete", "COMP_WORDS": "surface pl", "COMP_CWORD": "1"},
    ),
}


def run(command: list[str], variables: dict[str, str]) -> tuple[float, str]:
    """Seconds of a whole process, and what it wrote to standard error."""
    start = time.perf_counter()
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **variables}
    )
    return time.perf_counter() - start, done.stderr


def check_imports(name: str) -> None:
    """Fail where a command imports what it must not."""
    arguments, variables = COMMANDS[name]
    command = [sys.executable, "-X", "importtime", "-c", SCRIPT, *arguments]
    _, report = run(command, variables)
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in report.splitlines()}
    assert "click" in imported, f"{name}: the report of imports was not understood"
    heavy = imported & set(HEAVY)
    assert not heavy, f"{name} imports {', '.join(sorted(heavy))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="runs of each (default 15)")
    runs = parser.parse_args().runs
    commands = {"import click": (CLICK, {})}
    for name, (arguments, variables) in COMMANDS.items():
        check_imports(name)
        commands[name] = ([sys.executable, "-c", SCRIPT, *arguments], variables)
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, (command, variables) in commands.items():
            seconds[name].append(run(command, variables)[0])
    base = median(seconds["import click"])
    print("| command | s | ratio | wanted |\n|---|--:|--:|--:|")
    for name, each in seconds.items():
        wanted = f"<= {WANTED}" if name == "surface --help" else ""
        print(f"| {name} | {median(each):.3f} | {median(each) / base:.2f} | {wanted} |")
    print(f"\nno command imports {', '.join(HEAVY)}")


if __name__ == "__main__":
    main()
