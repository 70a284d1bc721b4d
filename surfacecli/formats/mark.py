"""The mark: the words by which `surface` knows its own files again, and the lines that hold it."""

import json

MARK = "made by surfacecli"


def one_line(provenance: str) -> str:
    """The JSON text `provenance` on one line of ASCII, fit for the comment of any format.

    The value is the same: line breaks go, letters beyond ASCII become escapes. Raises `ValueError`
    where the text is no JSON, or holds NaN or an infinity.
    """
    try:
        return json.dumps(json.loads(provenance), allow_nan=False)
    except ValueError as problem:
        raise ValueError(f"the provenance must be a JSON text: {problem}") from None


def comment_lines(provenance: str, width: int = 200) -> list[str]:
    """The mark, then the provenance cut into pieces of `width`: joined, they are the JSON again.

    For text headers whose readers hold a line in a buffer, some of 512 characters.
    """
    line = one_line(provenance)
    return [MARK, *(line[start : start + width] for start in range(0, len(line), width))]
