"""`surface presets` and the completion of preset names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from surfacecli.cli.main import surface
from surfacecli.cli.presets import presets
from surfacecli.presets import load_preset, shipped_presets

GOOD = "network: {widths: [2, 1]}\ndata: {samples: 3}\nslices: {a: {layer: 1}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(surface, ["presets", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_list_has_one_line_for_each_preset(arguments: list[str]) -> None:
    lines = run(*arguments).stdout.splitlines()
    assert [line.split()[0] for line in lines] == shipped_presets()
    for line in lines:
        name, title = line.split(maxsplit=1)
        assert title == load_preset(name).title


def test_list_as_json() -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert listed == [{"name": n, "title": load_preset(n).title} for n in shipped_presets()]


def test_list_on_a_terminal_is_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    presets.main(["list"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "what it shows" in shown
    assert all(load_preset(name).title in shown for name in shipped_presets())


def test_show_prints_the_text_as_it_is(folder: Path) -> None:
    assert run("show", "post").stdout == load_preset("post").text
    (folder / "x.yaml").write_text("broken: [")
    assert run("show", "x.yaml").stdout == "broken: ["
    unknown = run("show", "pots")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "did you mean 'post'?" in unknown.stderr


def test_validate_tells_good_from_bad(folder: Path) -> None:
    (folder / "good.yaml").write_text(GOOD)
    (folder / "bad.yaml").write_text(GOOD + "colour: 1\nloss: 2\n")
    fine = run("validate", "good.yaml", "post")
    assert (fine.exit_code, fine.stdout, fine.stderr) == (0, "good.yaml: ok\npost: ok\n", "")
    mixed = run("validate", "bad.yaml", "good.yaml", "none.yaml")
    assert (mixed.exit_code, mixed.stdout) == (1, "good.yaml: ok\n")
    first, second, third = mixed.stderr.splitlines()
    assert first.startswith("bad.yaml:4:1: colour: unknown key")
    assert second.startswith("bad.yaml:5:7: loss: 2 is unknown here")
    assert third.startswith("none.yaml: no such file")


def test_validate_as_json(folder: Path) -> None:
    (folder / "good.yaml").write_text(GOOD)
    (folder / "bad.yaml").write_text(GOOD + "colour: 1\n")
    result = run("validate", "--json", "good.yaml", "bad.yaml")
    assert (result.exit_code, result.stderr) == (1, "")
    good, bad = json.loads(result.stdout)
    assert good == {"file": "good.yaml", "ok": True, "problems": []}
    assert (bad["file"], bad["ok"], len(bad["problems"])) == ("bad.yaml", False, 1)
    assert run("validate", "--json", "good.yaml").exit_code == 0


def test_validate_wants_a_file() -> None:
    assert run("validate").exit_code == 2


def test_new_writes_a_starter_that_validates() -> None:
    result = run("new", "mine.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "mine.yaml" in result.stdout
    preset = load_preset("mine.yaml")
    assert {s.kind for s in preset.slices.values()} == {"within-layer", "across-layers", "mixed"}
    assert run("validate", "mine.yaml").exit_code == 0


def test_the_starter_names_every_choice() -> None:
    run("new", "mine.yaml")
    text = Path("mine.yaml").read_text()
    schema = json.loads(run("schema").stdout)
    words = [*schema["properties"], *schema["properties"]["loss"]["enum"]]
    words += schema["$defs"]["Network"]["properties"]["transfer"]["oneOf"][0]["enum"]
    words += schema["$defs"]["Figure"]["properties"]["style"]["enum"]
    assert [word for word in words if word not in text] == []


def test_new_never_overwrites(folder: Path) -> None:
    (folder / "x.yaml").write_text("mine")
    (folder / "y.yaml").symlink_to("elsewhere.yaml")
    for name in ("x.yaml", "y.yaml"):
        result = run("new", name)
        assert result.exit_code == 1
        assert "exists already" in result.stderr
    assert (folder / "x.yaml").read_text() == "mine"
    assert sorted(os.listdir(folder)) == ["x.yaml", "y.yaml"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("mine", "presets new mine.yaml"),
        ("mine.txt", "ends in .yaml"),
        ("my net.yaml", "no name for a preset"),
        ("none/mine.yaml", "cannot be written: No such file or directory"),
    ],
)
def test_new_refuses_what_would_not_be_found_again(folder: Path, name: str, what: str) -> None:
    result = run("new", name)
    assert result.exit_code == 1
    assert what in result.stderr
    assert os.listdir(folder) == []


def test_schema_is_one_json_document() -> None:
    schema = json.loads(run("schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) >= {"title", "network", "data", "loss", "slices", "window"}


def complete(words: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", "from surfacecli.cli import main; main()"],
        env={
            **os.environ,
            "_SURFACE_COMPLETE": "bash_complete",
            "COMP_WORDS": f"surface {words}",
            "COMP_CWORD": str(len(words.split(" "))),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()


def test_names_of_presets_complete_beside_files() -> None:
    # In bash's protocol, files must come first: the item resets the list.
    assert complete("presets show pos") == ["file,pos", "plain,post", "plain,post-linear"]
    assert complete("presets show zz") == ["file,zz"]


def test_completion_imports_nothing_heavy() -> None:
    script = (
        "import sys; from surfacecli.cli.main import surface\n"
        "from surfacecli.cli.completion import complete_preset\n"
        "assert complete_preset(None, None, 'po')[1].value == 'post'\n"
        "heavy = {'numpy', 'yaml', 'pydantic', 'rich', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
