"""The `surface` command group: one file per command; start-up imports no numpy."""

import os

from surfacecli.threads import pin_blas_threads

pin_blas_threads()
# Looking for plug-ins, pydantic would read the metadata of every installed package.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from surfacecli.cli.main import main, surface  # noqa: E402  (numpy must not come first)

__all__ = ["main", "surface"]
