"""What a long computation says on the terminal: its cost before, how far it is, nothing after."""

from types import SimpleNamespace

import pytest

from surfacecli.cli import working
from surfacecli.study import Plan, make_study

LONG = Plan("exact", 12_345, None, 60.0)


def slice_named(name: str) -> object:
    return SimpleNamespace(name=name)


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(working, "sys", output_to(terminal=True))


def output_to(terminal: bool) -> object:
    """What `working` asks of `sys`."""
    return SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: terminal))


def test_the_cost_and_the_progress_are_told_and_wiped_out(terminal, monkeypatch, capsys):
    monkeypatch.setattr(working, "PATIENCE", -1.0)

    def interrupted() -> None:
        with working.watched(slice_named("a"), LONG) as progress:
            progress(3, 1000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    # What wipes the line is a code for terminals, which click leaves out of a captured stream.
    assert capsys.readouterr().err == (
        "surface: slice a: about 12,345 cells, about 60 s\n\ra: kink 3 of 1,000 \r"
    )


def test_what_is_quick_or_quiet_says_nothing(terminal, capsys):
    with working.watched(slice_named("a"), Plan("exact", 5, None, 0.1)) as progress:
        progress(3, 10)
    with working.watched(slice_named("a"), LONG, quiet=True) as progress:
        assert progress is None
    assert capsys.readouterr().err == ""


def test_no_progress_where_no_one_watches(monkeypatch):
    monkeypatch.setattr(working, "sys", output_to(terminal=False))
    with working.watched(slice_named("a"), Plan("exact", 5, None, 0.1)) as progress:
        assert progress is None


@pytest.mark.parametrize("run", [working.examine, working.examine_all])
def test_cells_are_counted_on_the_terminal(run, terminal, monkeypatch, capsys, tmp_path):
    """`plot` and `check-maxima` by one of them, `audit` and `export --cells` by the other."""
    monkeypatch.setattr(working, "PATIENCE", -1.0)
    monkeypatch.setattr("surfacecli.geometry.exact.telling.PAUSE", 0.0)
    # Around the weights: a fan is put together at once.
    (tmp_path / "x.yaml").write_text(
        "network: {widths: [2, 3, 2]}\ndata: {samples: 3}\n"
        "slices: {a: {layer: 1, origin: weights}}\n"
    )
    study = make_study(str(tmp_path / "x.yaml"))
    run(study, study.slices[0])
    assert "\ra: kink " in capsys.readouterr().err
