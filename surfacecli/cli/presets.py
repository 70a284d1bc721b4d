"""`surface presets`: list, show, validate, new, schema."""

import json
import sys
from pathlib import Path

import click

from surfacecli.cli.completion import complete_preset
from surfacecli.errors import PresetError, SurfaceError


@click.group(invoke_without_command=True)
@click.pass_context
def presets(ctx: click.Context) -> None:
    """Presets: the YAML files that say what is studied. Without a command: list."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@presets.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(as_json: bool) -> None:
    """List the presets that ship, by name and title."""
    from surfacecli.reading.shipped import preset_path, read_text, shipped_presets
    from surfacecli.reading.yaml_marks import YamlError, read_yaml

    titles = {}
    for name in shipped_presets():
        path = preset_path(name)
        try:
            value = read_yaml(read_text(path)).value
        except YamlError as error:
            raise PresetError([f"{path}: {error}"]) from error
        title = value.get("title") if isinstance(value, dict) else None
        titles[name] = title if isinstance(title, str) else name
    if as_json:
        _print_json([{"name": name, "title": title} for name, title in titles.items()])
    elif sys.stdout.isatty():
        _print_table(titles)
    else:
        width = max(map(len, titles), default=0)
        for name, title in titles.items():
            click.echo(f"{name:{width}}  {title}")


@presets.command("show")
@click.argument("preset", shell_complete=complete_preset)
def show(preset: str) -> None:
    """Print the YAML text of PRESET, a shipped name or a file."""
    from surfacecli.reading.shipped import preset_path, read_text

    click.echo(read_text(preset_path(preset)), nl=False)


@presets.command("validate")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_preset)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def validate(ctx: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Check preset FILEs: every mistake of every file, with line and column."""
    from surfacecli.presets import load_preset

    results: list[dict[str, object]] = []
    for file in files:
        problems: tuple[str, ...] = ()
        try:
            load_preset(file)
        except PresetError as error:
            problems = error.problems
        except SurfaceError as error:
            problems = (str(error),)
        results.append({"file": file, "ok": not problems, "problems": list(problems)})
        if not as_json:
            for problem in problems:
                click.echo(problem, err=True)
            if not problems:
                click.echo(f"{file}: ok")
    if as_json:
        _print_json(results)
    if not all(result["ok"] for result in results):
        ctx.exit(1)


@presets.command("new")
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Write a commented starter preset to FILE, which must not exist yet."""
    from surfacecli.reading.shipped import NAME_RULE, SUFFIXES, is_safe_name, starter_text

    if file.suffix not in SUFFIXES:
        raise SurfaceError(f"{file}: a preset's name ends in .yaml; say `presets new {file}.yaml`")
    if not is_safe_name(file.stem):
        raise SurfaceError(f"{file}: no name for a preset; use {NAME_RULE}")
    text = starter_text()
    try:
        # "x" fails where anything of that name exists, a dangling link too.
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise SurfaceError(f"{file} exists already; choose another name") from error
    except OSError as error:
        raise SurfaceError(f"{file} cannot be written: {error.strerror or error}") from error
    click.echo(f"wrote {file}; next: surface plot {file}")


@presets.command("schema")
def schema() -> None:
    """Print the JSON Schema of presets, for editors and other checkers."""
    from surfacecli.reading.schema import json_schema

    _print_json(json_schema())


def _print_json(document: object) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _print_table(titles: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("preset", "what it shows", box=None, header_style="bold")
    for name, title in titles.items():
        table.add_row(Text(name, style="cyan"), Text(title))
    Console().print(table)
