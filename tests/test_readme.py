"""Every command and program of the README does what stands there."""

import re
import tomllib

import pytest
from readme_blocks import README, SECONDS, examples, run

pytestmark = pytest.mark.skipif(
    not README.exists(), reason="the README is not beside the tests: an installed copy"
)


def test_examples_print_what_the_readme_says(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = examples(README.read_text(encoding="utf-8"))
    assert len(found) >= 15
    for example in found:
        printed = run(example.source)
        assert SECONDS.sub("", printed) == SECONDS.sub("", example.expected), example.source


def test_every_command_stands_in_the_readme() -> None:
    from surfacecli.cli import surface

    text = README.read_text(encoding="utf-8")
    for name in surface.commands:
        assert f"surface {name}" in text


def test_files_that_the_readme_names_exist() -> None:
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^):]+)\)", text):
        assert (README.parent / target).is_file(), target


def test_the_preset_in_the_readme_is_one(tmp_path) -> None:
    import numpy as np

    from surfacecli.presets import load_preset

    (block,) = re.findall(r"^```yaml\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)
    (tmp_path / "mine.yaml").write_text(block)
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "net.npz",
        W1=rng.normal(size=(3, 2)),
        b1=rng.normal(size=3),
        W2=rng.normal(size=(2, 3)),
    )
    np.savez(tmp_path / "data.npz", inputs=rng.normal(size=(4, 2)), targets=np.eye(2)[[0, 1, 0, 1]])
    assert list(load_preset(tmp_path / "mine.yaml").slices) == ["hidden", "across", "curved"]


def test_one_version() -> None:
    import surfacecli

    citation = (README.parent / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {surfacecli.__version__}\n" in citation
    assert f"## {surfacecli.__version__}" in (README.parent / "CHANGELOG.md").read_text()
    project = tomllib.loads((README.parent / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
