"""Several slices of a preset in one figure: each with its 3-D view and its view from above."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from surfacecli.figures.height import measure_heights
from surfacecli.figures.lettering import fit_lines, foot_lines, head_lines, room, write_lines
from surfacecli.figures.modern import modern_entries, remarks
from surfacecli.figures.page import MARGIN, open_page
from surfacecli.figures.picture import Picture
from surfacecli.figures.post import draw_mesh
from surfacecli.figures.surface3d import draw_view
from surfacecli.figures.theme import TEXT, WIDTH, theme
from surfacecli.figures.topview import draw_plane

#: Slices side by side at most, and heights in inches of the two views of the modern style.
ABREAST = 3
VIEW, PLANE = 1.9, 1.9
#: Height in inches of a picture in style post.
MESH = 2.15


def draw_panels(pictures: Sequence[Picture], style: str) -> Figure:
    """A panel of 1 to 9 slices; the title is that of the first."""
    if not 1 <= len(pictures) <= ABREAST**2:
        raise ValueError(f"a panel holds 1 to {ABREAST**2} slices, not {len(pictures)}")
    modern = style == "modern"
    with theme():
        abreast = min(ABREAST, len(pictures))
        stacked = -(-len(pictures) // abreast)
        cell = WIDTH / ABREAST
        width = cell * abreast
        text_room = width - 2 * MARGIN
        head = head_lines(pictures[0].title, "", text_room) if modern else []
        foot = []
        for line in dict.fromkeys(p.provenance for p in pictures):
            foot += foot_lines(line, text_room)
        if modern:
            said = ((p.name, remarks(p)) for p in pictures)
            found = "; ".join(f"{name} {words}" for name, words in said if words)
            foot += foot_lines(found, text_room, len(pictures))
        entries = modern_entries(pictures) if modern else []
        names = [
            [(t, TEXT, False) for t in fit_lines(p.heading, cell - 0.2, TEXT, 2)] for p in pictures
        ]
        name_room = max(room(lines) for lines in names) + 0.04 if modern else 0.0
        block = name_room + (VIEW + PLANE if modern else MESH)
        loud = dict.fromkeys(f"{p.name}: {p.alarm}" for p in pictures if p.alarm and modern)
        figure, below = open_page(width, stacked * block, head, foot, entries, "; ".join(loud))
        for number, picture in enumerate(pictures):
            left = cell * (number % abreast)
            top = below + block * (stacked - number // abreast)
            if not modern:
                draw_mesh(
                    figure, (left + 0.1, top - MESH, cell - 0.2, MESH - 0.1), picture, small=True
                )
                continue
            write_lines(figure, names[number], left + MARGIN, top)
            heights, top = measure_heights(picture.error), top - name_room
            draw_view(
                figure,
                (left + 0.1, top - VIEW, cell - 0.2, VIEW - 0.1),
                picture,
                heights,
                small=True,
            )
            draw_plane(
                figure, (left, top - VIEW - PLANE, cell, PLANE), picture, heights, 3, small=True
            )
        return figure
