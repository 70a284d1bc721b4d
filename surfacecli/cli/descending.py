"""Paths of descent as `plot` tells of them: as documents, as provenance, as a table."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from surfacecli.geometry.descent.path import Path


def path_documents(paths: "Sequence[Path]") -> dict[str, object]:
    """The paths of a figure for its document; nothing where none were asked for."""
    from surfacecli.documents import path_document

    return {"paths": [path_document(path) for path in paths]} if paths else {}


def descent_provenance(paths: "Sequence[Path]") -> dict[str, object]:
    """What makes the paths of a figure again."""
    if not paths:
        return {}
    starts = dict.fromkeys((float(path.u[0]), float(path.v[0])) for path in paths)
    methods = list(dict.fromkeys(path.method for path in paths))
    return {"descent": {"methods": methods, "starts": [list(start) for start in starts]}}


def print_paths(name: str, paths: "Sequence[Path]") -> None:
    """A table of the paths on one slice: where each ended, and what it met."""
    if not paths:
        return
    from surfacecli.cli.console import make_table, print_table

    table = make_table(
        "slice",
        "descent",
        ">from u",
        ">from v",
        "ended on",
        ">E",
        ">at u",
        ">at v",
        ">kinks crossed",
        ">followed",
        ">steps",
    )
    for path in paths:
        flow = "flow (exact)" if path.exact else "flow (integrated)"
        table.add_row(
            name,
            flow if path.method == "flow" else path.method,
            f"{path.u[0]:.4f}",
            f"{path.v[0]:.4f}",
            path.end.describe(),
            f"{path.error[-1]:.6g}",
            f"{path.u[-1]:.4f}",
            f"{path.v[-1]:.4f}",
            str(path.crossed),
            str(path.slides),
            "" if path.method == "flow" else str(len(path.u) - 1),
        )
    print_table(table)
