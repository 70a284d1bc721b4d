"""What every test run starts with: one BLAS thread, manners of property tests, the command line."""

import os
from collections.abc import Callable
from pathlib import Path

from surfacecli.threads import pin_blas_threads

pin_blas_threads()  # before anything imports numpy

import pytest  # noqa: E402
from click.testing import CliRunner, Result  # noqa: E402
from hypothesis import settings  # noqa: E402

from surfacecli.cli import surface  # noqa: E402

# No deadline: a shared machine stalls now and then. CI draws the same examples every time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`run("plot", "tiny.yaml", status=1)`: a command in an empty folder, and how it must end."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(surface, [*arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, (result.stdout, result.stderr)
        assert "Traceback" not in result.output
        return result

    return call
