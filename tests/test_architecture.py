"""The house: imports point down the floors, the mathematics never hears of the shell."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import surfacecli

PACKAGE = Path(surfacecli.__file__).parent

#: Floors from the roof down. A module may import what stands lower, or on its own floor.
FLOORS = (
    ("cli", "__main__"),
    ("batch",),
    ("progress", "gallery"),
    ("engine",),
    (
        "documents",
        "exact_documents",
        "map_reports",
        "hessian_documents",
        "hessian_pictures",
        "pictures",
        "words",
    ),
    ("descents", "exactly", "hessians", "mapping"),
    ("study",),
    ("outputs",),
    ("figures",),
    ("presets",),
    ("reading",),
    ("formats",),
    ("errors", "threads"),
    ("geometry",),
    ("network",),
)

#: The order within geometry, from the roof down: a module imports what stands lower.
GEOMETRY = (
    ("claim",),
    ("descent", "facets", "missed"),
    ("complexes", "locate", "maps"),
    ("search",),
    ("completeness", "across", "placing"),
    ("level_sets", "border", "merging"),
    ("rims", "kinked"),
    ("profiles", "switches"),
    ("polish", "section", "smooth", "exact", "terrain", "around"),
    ("one_sided",),
    ("candidates", "kinks"),
    ("stationary", "grids", "roots", "courses"),
    ("layers", "layer_shares"),
    ("surface",),
    ("slices",),
)

NUMERIC = ("geometry", "network", "formats")


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """The modules that a file imports, read off its syntax tree."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def floor(part: str, floors: tuple[tuple[str, ...], ...]) -> int:
    return next(number for number, parts in enumerate(floors) if part in parts)


def files(folder: str = "") -> list[Path]:
    found = sorted((PACKAGE / folder).rglob("*.py"))
    assert found
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    mine = part_of(path)
    if mine == "__init__":
        return
    for name in imports(path):
        if name.startswith("surfacecli."):
            other = name.split(".")[1]
            assert floor(other, FLOORS) >= floor(mine, FLOORS), f"{mine} imports {name}"


def test_every_part_has_a_floor() -> None:
    parts = {part_of(path) for path in files()} - {"__init__"}
    assert parts <= {part for parts in FLOORS for part in parts}


@pytest.mark.parametrize("path", files("geometry"), ids=lambda p: p.stem)
def test_geometry_points_down(path: Path) -> None:
    mine = path.relative_to(PACKAGE / "geometry").parts[0].removesuffix(".py")
    if mine == "__init__":
        return
    for name in imports(path):
        if name.startswith("surfacecli.geometry."):
            other = name.split(".")[2]
            assert floor(other, GEOMETRY) >= floor(mine, GEOMETRY), f"{mine} imports {name}"


@pytest.mark.parametrize("folder", NUMERIC)
def test_the_mathematics_imports_numpy_only(folder: str) -> None:
    for path in files(folder):
        for name in imports(path):
            root = name.split(".")[0]
            allowed = root in sys.stdlib_module_names or root in ("numpy", "surfacecli")
            assert allowed, f"{path.name} imports {name}"


def test_no_pyplot() -> None:
    assert not [path for path in files() if "matplotlib.pyplot" in imports(path)]


def test_start_up_imports_nothing_heavy() -> None:
    """`surface --help` loads neither numpy nor matplotlib nor what reads presets."""
    code = (
        "import sys\n"
        "from surfacecli.cli import surface\n"
        "try:\n    surface(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'matplotlib', 'pydantic', 'yaml', 'rich', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert "check-maxima" in ran.stdout
    assert ran.stderr.strip() == "[]"


def test_blas_threads_are_pinned_before_numpy() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    code = (
        "import surfacecli.cli, os, sys\n"
        "print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout.split() == ["1", "False"]
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"OPENBLAS_NUM_THREADS": "3"},
    )
    assert ran.stdout.split() == ["3", "False"]
