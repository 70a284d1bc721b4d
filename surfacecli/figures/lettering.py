"""Text that fits: its width is measured, long lines are broken and at last cut."""

from collections.abc import Callable
from functools import lru_cache

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from surfacecli.figures.theme import GREY, INK, LEADING, SMALL, TEXT, TITLE

#: A line may end at a comma as early as this share of its length.
COMMA = 0.7

#: Lines of a text below a figure at most.
FOOT = 8

Fits = Callable[[str], bool]
Measure = Callable[[str, FontProperties, bool], tuple[float, float, float]]
Lines = list[tuple[str, float, bool]]

#: Dots per inch at which text is measured. Letters are fitted to them: at so few they come out up
#: to a tenth wider than in print, which is room to spare; at many, as they are.
ROUGH, FINE = 72.0, 720.0


@lru_cache(maxsize=2)
def _ruler(dots: float) -> RendererAgg:
    return RendererAgg(1, 1, dots)  # type: ignore[no-untyped-call]


def text_width(text: str, size: float, bold: bool = False, dots: float = ROUGH) -> float:
    """The width of one line of text, in inches."""
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    measure: Measure = _ruler(dots).get_text_width_height_descent
    width, _, _ = measure(text, font, False)
    return float(width) / dots


def fit_lines(text: str, width: float, size: float, lines: int, bold: bool = False) -> list[str]:
    """The text in at most `lines` lines of a width in inches; what is too much ends in '...'."""

    def fits(line: str) -> bool:
        return text_width(line, size, bold) <= width

    rest, done = " ".join(text.split()), list[str]()
    while rest and len(done) < lines:
        cut = _longest(rest, fits)
        if cut < len(rest) and len(done) == lines - 1:
            return [*done, _shorten(rest[: cut + 1], fits)]
        at = cut if cut == len(rest) else _break(rest, cut)
        done.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return done


def _break(text: str, cut: int) -> int:
    """Where a line of at most `cut` letters ends: after a comma near its end, else at a blank."""
    comma = max(text.rfind(", ", 0, cut), text.rfind("; ", 0, cut)) + 1
    blank = text.rfind(" ", 0, cut + 1)
    if comma > COMMA * cut:
        return comma
    return blank if blank > 0 else cut


def _longest(text: str, fits: Fits) -> int:
    """How many letters of the text fit a line: 1 or more."""
    if fits(text):
        return len(text)
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return low


def _shorten(text: str, fits: Fits) -> str:
    while len(text) > 1 and not fits(f"{text}..."):
        text = text[:-1]
    return f"{text.rstrip()}..."


def head_lines(title: str, heading: str, width: float, most: int = 2) -> Lines:
    """Lines above a figure: (text, size, bold) each, the title and the slice's own heading."""
    title_lines = fit_lines(title, width, TITLE, most, bold=True)
    return [
        *((line, TITLE, True) for line in title_lines),
        *((line, TEXT, False) for line in fit_lines(heading, width, TEXT, most)),
    ]


def foot_lines(provenance: str, width: float, remarks: str = "") -> Lines:
    """Lines below a figure: where it comes from, and remarks, which are never cut for its sake.

    As many as they need: the figure becomes higher. Only what would bury it is cut.
    """
    together = f"{provenance}; {remarks}" if provenance and remarks else provenance + remarks
    lines = fit_lines(together, width, SMALL, FOOT)
    if remarks and lines and lines[-1].endswith("..."):
        lines = fit_lines(provenance, width, SMALL, FOOT) + fit_lines(remarks, width, SMALL, FOOT)
    return [(line, SMALL, False) for line in lines]


def alarm_lines(alarm: str, width: float) -> Lines:
    """Lines above a figure for what must not be overlooked."""
    return [(line, TEXT, True) for line in fit_lines(alarm, width, TEXT, 2, bold=True)]


def room(lines: Lines) -> float:
    """The height of lines, in inches."""
    return sum(size * LEADING for _, size, _ in lines)


def write_lines(
    figure: Figure,
    lines: Lines,
    left: float,
    top: float,
    grey: bool = False,
    *,
    colour: str = INK,
) -> None:
    """Set lines one below the other; `left` and `top` in inches from the lower left corner."""
    width, height = figure.get_size_inches()
    for text, size, bold in lines:
        top -= size * LEADING
        figure.text(
            left / width,
            (top + 0.25 * size / 72) / height,
            text,
            size=size,
            weight="bold" if bold else "normal",
            color=GREY if grey else colour,
            ha="left",
            va="baseline",
        )
