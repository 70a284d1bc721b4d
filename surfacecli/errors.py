"""What can go wrong for a user: one base class, so that one `except` serves every command."""

from collections.abc import Sequence


class SurfaceError(Exception):
    """Something in the input or the run failed; the message says what, where and what to do.

    The command line prints the message alone and leaves with status 1. Anything that is not a
    `SurfaceError` is a bug and keeps its traceback.
    """


class ChoiceError(SurfaceError):
    """An option asks for a layer or slice that the preset does not have: wrong usage, status 2."""


class PresetError(SurfaceError):
    """A preset that cannot be used; `problems` holds one `file:line:column: key: what` each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
