"""How every figure looks: fonts, sizes, colours, and the settings under which it is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

#: Inches: on less, two views stand one above the other, and a title needs more lines.
NARROW = 5.0


@dataclass(frozen=True)
class Sheet:
    """The paper a figure is made for: it is printed at this size, and its letters with it.

    `width` in inches, `dpi` of what is pixels, at most `lines` of each text above.
    """

    width: float
    dpi: int
    lines: int

    @property
    def narrow(self) -> bool:
        """Whether two views stand one above the other: side by side they would be too small."""
        return self.width < NARROW


#: A page of two columns, and one of its columns; both have as many pixels.
PAGE, COLUMN = Sheet(7.1, 200, 2), Sheet(3.5, 400, 4)
SHEETS = {"page": PAGE, "column": COLUMN}

TITLE, TEXT, SMALL = 9.5, 8.5, 7.5
#: Inches from one line of text to the next, per point of its size.
LEADING = 1.3 / 72

INK, GREY, FAINT = "#222222", "#666666", "#d4d4d4"
COLOURS = "viridis"
#: More shapes than this are pixels in a PDF or an SVG: thousands of paths are slow to open.
SHAPES = 3000
#: Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, VERMILLION, ORANGE, PURPLE = "#0072B2", "#D55E00", "#E69F00", "#CC79A7"
#: What must not be overlooked.
ALARM = "#C00000"

SETTINGS: dict[str, object] = {
    "font.family": ["sans-serif"],
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,  # a title may hold a dollar sign
    "axes.labelsize": TEXT,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2.5,
    "ytick.major.pad": 2.5,
    "legend.fontsize": SMALL,
    "hatch.linewidth": 0.6,
    "figure.dpi": PAGE.dpi,
    "svg.fonttype": "none",
    "svg.hashsalt": "surfacecli",
    "pdf.fonttype": 42,
}


@contextmanager
def theme() -> Iterator[None]:
    """Matplotlib's own defaults and ours over them; the caller's settings come back at the end."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        yield


def new_figure(width: float, height: float, sheet: Sheet = PAGE) -> Figure:
    """An empty white figure of a size in inches, without pyplot and its list of open figures."""
    figure = Figure(figsize=(width, height), dpi=sheet.dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure
