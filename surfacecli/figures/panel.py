"""Several slices of a preset in one figure: each with its 3-D view and its view from above.

On a page three slices stand abreast, their views one above the other; in a column each slice is a
row, its views side by side.
"""

from collections.abc import Sequence

from matplotlib.figure import Figure

from surfacecli.figures.box import Rectangle
from surfacecli.figures.height import measure_heights
from surfacecli.figures.lettering import fit_lines, foot_lines, head_lines, room, write_lines
from surfacecli.figures.modern import modern_entries, remarks
from surfacecli.figures.page import MARGIN, open_page
from surfacecli.figures.picture import Picture
from surfacecli.figures.post import draw_mesh
from surfacecli.figures.surface3d import LEAST, REDUCED, draw_view
from surfacecli.figures.theme import COLUMN, NARROW, PAGE, TEXT, Sheet, theme
from surfacecli.figures.topview import draw_plane

#: Slices side by side, and how many in all a page and a column hold.
ABREAST, MOST, MOST_STACKED = 3, 9, 4
#: Heights in inches of the two views of the modern style; in a column, of both, and the width of
#: the first.
VIEW, PLANE = 1.9, 1.9
ROW, BESIDE = 1.55, 1.8
#: Height in inches of a picture in style post.
MESH = 2.15


def draw_panels(pictures: Sequence[Picture], style: str, sheet: Sheet = PAGE) -> Figure:
    """A panel of 1 to `most_slices` slices; the title is that of the first."""
    most = most_slices(sheet)
    if not 1 <= len(pictures) <= most:
        raise ValueError(f"a panel holds 1 to {most} slices, not {len(pictures)}")
    modern = style == "modern"
    with theme():
        abreast = 1 if sheet.narrow else min(ABREAST, len(pictures))
        stacked = -(-len(pictures) // abreast)
        cell = sheet.width if sheet.narrow else sheet.width / ABREAST
        width = cell * abreast
        text_room = width - 2 * MARGIN
        lines = COLUMN.lines if width <= NARROW else sheet.lines
        head = head_lines(pictures[0].title, "", text_room, lines) if modern else []
        foot = []
        sources = list(dict.fromkeys(p.provenance for p in pictures))
        for line in [_share(sources)] if sheet.narrow else sources:
            foot += foot_lines(line, text_room)
        if modern:
            said = ((p.name, remarks(p)) for p in pictures)
            found = "; ".join(f"{name} {words}" for name, words in said if words)
            foot += foot_lines(found, text_room)
        entries = modern_entries(pictures) if modern else []
        names = [
            [(t, TEXT, False) for t in fit_lines(p.heading, cell - 0.2, TEXT, 2)] for p in pictures
        ]
        name_room = max(room(lines) for lines in names) + 0.04 if modern else 0.0
        views = ROW if sheet.narrow else VIEW + PLANE
        block = name_room + (views if modern else MESH)
        loud = dict.fromkeys(f"{p.name}: {p.alarm}" for p in pictures if p.alarm and modern)
        figure, below = open_page(
            width, stacked * block, head, foot, entries, "; ".join(loud), sheet
        )
        for number, picture in enumerate(pictures):
            left = cell * (number % abreast)
            top = below + block * (stacked - number // abreast)
            if not modern:
                draw_mesh(
                    figure, (left + 0.1, top - MESH, cell - 0.2, MESH - 0.1), picture, small=True
                )
                continue
            write_lines(figure, names[number], left + MARGIN, top)
            heights = measure_heights(picture.error)
            view, plane = _places(sheet, left, top - name_room, cell)
            draw_view(figure, view, picture, heights, LEAST if sheet.narrow else REDUCED)
            draw_plane(figure, plane, picture, heights, 3, small=True, bar=not sheet.narrow)
        return figure


def _share(sources: Sequence[str]) -> str:
    """Lines of provenance as one, which says once what they have in common."""
    parts = [source.split(", ") for source in sources]
    common = [part for part in parts[0] if all(part in other for other in parts[1:])]
    own = [", ".join(part for part in other if part not in common) for other in parts]
    return "; ".join(text for text in (", ".join(common), *own) if text)


def most_slices(sheet: Sheet) -> int:
    """How many slices a panel holds: more would be higher than a page."""
    return MOST_STACKED if sheet.narrow else MOST


def _places(sheet: Sheet, left: float, top: float, cell: float) -> tuple[Rectangle, Rectangle]:
    """Where the two views of a slice stand, below the name of the slice."""
    if sheet.narrow:
        return (0.05, top - ROW + 0.05, BESIDE - 0.05, ROW - 0.1), (
            BESIDE,
            top - ROW,
            cell - BESIDE,
            ROW,
        )
    return (left + 0.1, top - VIEW, cell - 0.2, VIEW - 0.1), (
        left,
        top - VIEW - PLANE,
        cell,
        PLANE,
    )
