"""Figures as bytes that hold what is needed to make them again, and the way back."""

import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from matplotlib.figure import Figure

from surfacecli.errors import SurfaceError
from surfacecli.figures.theme import theme
from surfacecli.formats.mark import MARK

LONGEST_TITLE = 1000
DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


def encode_figure(
    figure: Figure, file_format: str, provenance: dict[str, object], title: str
) -> bytes:
    """The figure as 'png', 'svg' or 'pdf', the same bytes for the same input.

    `provenance` is written into the metadata as JSON; `read_provenance` gives it back. Raises
    `ValueError` for another format, and for what JSON cannot hold.
    """
    # ASCII throughout: PDF turns other text into UTF-16, PNG into another kind of chunk.
    text = json.dumps(provenance, allow_nan=False)
    # However long it is, the mark stays near an end of the file: an SVG begins with its metadata,
    # with the creator after the description; a PDF ends with it, in the order given here.
    title = title[:LONGEST_TITLE]
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": MARK, "Title": title, "Comment": text},
        "svg": {"Title": title, "Description": f"{MARK}: {text}", "Creator": MARK, "Date": None},
        "pdf": {
            "Creator": MARK,
            "Title": title,
            "Subject": text,
            "Keywords": MARK,
            "CreationDate": None,
        },
    }
    if file_format not in metadata:
        raise ValueError(f"{file_format!r} is not a format of figures; choose png, svg or pdf")
    out = BytesIO()
    with theme():
        figure.savefig(out, format=file_format, metadata=metadata[file_format])
    return out.getvalue()


def read_provenance(path: Path) -> dict[str, object]:
    """What a figure's metadata says of its making.

    Raises `SurfaceError` for a file that cannot be read or was not made by surface.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as problem:
        raise SurfaceError(f"cannot read {path}: {problem.strerror or problem}") from problem
    for start, read in _READERS.items():
        if content.startswith(start):
            try:
                document = json.loads(read(content))
            except (ValueError, KeyError, SyntaxError, OSError) as problem:
                raise _foreign(path) from problem
            if isinstance(document, dict):
                return document
    raise _foreign(path)


def _foreign(path: Path) -> SurfaceError:
    return SurfaceError(f"{path} holds no provenance; give a PNG, SVG or PDF drawn by surface")


def _read_png(content: bytes) -> str:
    at = 8  # after the signature: chunks of length (4), kind (4), content, checksum (4)
    while at + 8 <= len(content):
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        key, _, text = content[at + 8 : at + 8 + length].partition(b"\0")
        if (kind, key) == (b"tEXt", b"Comment"):
            return text.decode("ascii")
        at += length + 12
    raise KeyError("Comment")


def _read_svg(content: bytes) -> str:
    for _, element in ElementTree.iterparse(BytesIO(content)):
        if element.tag == DESCRIPTION:
            return (element.text or "").removeprefix(f"{MARK}: ")
    raise KeyError(DESCRIPTION)


def _read_pdf(content: bytes) -> str:
    # The information dictionary is written last, its strings in parentheses, escaped.
    found = re.findall(rb"/Subject \(((?:[^\\()]|\\.)*)\)", content, re.DOTALL)
    if not found:
        raise KeyError("Subject")
    plain = re.sub(rb"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), found[-1])
    return plain.decode("ascii")


_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_READERS: dict[bytes, Callable[[bytes], str]] = {
    b"\x89PNG": _read_png,
    b"<?xml": _read_svg,
    b"%PDF": _read_pdf,
}
