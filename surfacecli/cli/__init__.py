"""The `surface` command group: one file per command; start-up imports no numpy."""

from surfacecli.threads import pin_blas_threads

pin_blas_threads()

from surfacecli.cli.main import main, surface  # noqa: E402  (numpy must not come first)

__all__ = ["main", "surface"]
