"""Each format is read back by another road: small parsers written from the specifications."""

import csv
import io
import json
import struct
import zipfile

import numpy as np
import pytest

from surfacecli.formats import FORMATS, encode_surface, mesh, obj, ply, rows, vtk
from surfacecli.formats.mark import MARK, comment_lines, one_line

# Not square and not symmetric: an exchange of axes cannot pass.
U = np.array([-1.0, 0.1, 2.5])
V = np.array([3.0, 3.5, 5.0, 9.0])
PROVENANCE = json.dumps({"preset": 'pöst, 50% "x"\n#1', "seeds": {"weights": 1}}, indent=2)
MESHES = [".obj", ".ply", ".vtk"]


def height(u: float, v: float) -> float:
    """An error in which u and v play different parts, with digits that need all 17 places."""
    return u / 3 + v * v / 7


ERROR = np.array([[height(u, v) for u in U.tolist()] for v in V.tolist()])


# Readers


def read_obj(content: bytes):
    vertices, triangles = [], []
    for line in content.decode("ascii").splitlines():
        kind, *words = line.split()
        if kind == "v":
            vertices.append([float(word) for word in words])
        elif kind == "f":
            triangles.append([int(word) - 1 for word in words])
        else:
            assert kind in ("#", "o")
    return vertices, triangles, [z for _, _, z in vertices]


def read_ply(content: bytes):
    header, body = content.split(b"end_header\n", 1)
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert [line for line in lines[2:] if not line.startswith("comment ")][1:5] == [
        "property double x",
        "property double y",
        "property double z",
        "property double error",
    ]
    counts = dict(line.split()[1:] for line in lines if line.startswith("element "))
    assert list(counts) == ["vertex", "face"]
    assert lines[-1] == "property list uchar int vertex_indices"
    points = [struct.unpack_from("<4d", body, 32 * i) for i in range(int(counts["vertex"]))]
    faces = body[32 * len(points) :]
    assert len(faces) == 13 * int(counts["face"])
    corners = [struct.unpack_from("<B3i", faces, 13 * i) for i in range(int(counts["face"]))]
    assert {corner[0] for corner in corners} == {3}
    return (
        [list(point[:3]) for point in points],
        [list(corner[1:]) for corner in corners],
        [point[3] for point in points],
    )


def read_vtk_parts(content: bytes):
    file = io.BytesIO(content)

    def line() -> str:
        return file.readline().decode("ascii").removesuffix("\n")

    assert line() == "# vtk DataFile Version 3.0"
    assert len(line()) < 256
    assert line() == "BINARY"
    assert line() == "DATASET POLYDATA"
    assert line() == "FIELD FieldData 1"
    assert line() == "provenance 1 1 string"
    first = file.read(1)[0]
    size = {3: 1, 2: 2, 1: 4}[first >> 6]
    length = int.from_bytes(bytes([first & 0b111111]) + file.read(size - 1), "big")
    provenance = file.read(length).decode("ascii")
    assert line() == ""
    word, count, kind = line().split()
    assert (word, kind) == ("POINTS", "double")
    points = struct.unpack(f">{3 * int(count)}d", file.read(24 * int(count)))
    assert line() == ""
    word, polygons, numbers = line().split()
    assert word == "POLYGONS"
    assert int(numbers) == 4 * int(polygons)
    cells = struct.unpack(f">{numbers}i", file.read(4 * int(numbers)))
    assert set(cells[::4]) == {3}
    assert [line(), line()] == ["", f"POINT_DATA {count}"]
    assert [line(), line()] == ["SCALARS error double 1", "LOOKUP_TABLE default"]
    values = struct.unpack(f">{count}d", file.read(8 * int(count)))
    assert file.read() == b"\n"
    vertices = [list(points[i : i + 3]) for i in range(0, len(points), 3)]
    triangles = [list(cells[i + 1 : i + 4]) for i in range(0, len(cells), 4)]
    return (vertices, triangles, list(values)), provenance


READERS = {".obj": read_obj, ".ply": read_ply, ".vtk": lambda content: read_vtk_parts(content)[0]}


def seen_from_above(vertices, triangle) -> float:
    """Twice the area of a triangle's shadow on the plane, positive where it turns left."""
    (ax, ay, _), (bx, by, _), (cx, cy, _) = (vertices[corner] for corner in triangle)
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


# npz


def test_npz_has_the_members_of_the_contract():
    with np.load(io.BytesIO(encode_surface(".npz", U, V, ERROR, PROVENANCE))) as archive:
        assert archive.files == ["u", "v", "error", "provenance"]
        np.testing.assert_array_equal(archive["u"], U, strict=True)
        np.testing.assert_array_equal(archive["v"], V, strict=True)
        np.testing.assert_array_equal(archive["error"], ERROR, strict=True)
        assert archive["provenance"].shape == ()
        assert json.loads(str(archive["provenance"])) == json.loads(PROVENANCE)


def test_npz_bytes_depend_on_the_arrays_alone(monkeypatch):
    first = encode_surface(".npz", U, V, ERROR, PROVENANCE)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("sys.platform", "win32")
    strided = np.repeat(ERROR.T, 2, axis=0)[::2].T
    assert strided.flags["C_CONTIGUOUS"] is False
    assert encode_surface(".npz", U.tolist(), V, strided, PROVENANCE) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        for member in archive.infolist():
            assert member.date_time == (1980, 1, 1, 0, 0, 0)
            assert member.compress_type == zipfile.ZIP_STORED


def test_npz_holds_the_mark_near_its_end_however_large_it_is():
    u = np.linspace(0, 1, 300)
    content = encode_surface(".npz", u, u, np.zeros((300, 300)), PROVENANCE)
    assert MARK.encode() in content[-100:]


# csv


def test_csv_rows_run_along_u_first_and_read_back_exactly():
    content = encode_surface(".csv", U, V, ERROR, PROVENANCE)
    comment, *table = csv.reader(io.StringIO(content.decode("ascii")), quoting=csv.QUOTE_NONE)
    assert comment[0].startswith("# ")
    assert table[0] == ["u", "v", "error"]
    numbers = [tuple(map(float, row)) for row in table[1:]]
    assert numbers == [(u, v, height(u, v)) for v in V.tolist() for u in U.tolist()]


def test_csv_first_line_is_the_provenance():
    first = encode_surface(".csv", U, V, ERROR, PROVENANCE).decode("ascii").split("\n")[0]
    assert json.loads(first.removeprefix(f"# {MARK} ")) == json.loads(PROVENANCE)


def test_csv_is_read_by_numpy_with_nan_and_signed_zero():
    error = ERROR.copy()
    error[1, 2], error[2, 0], error[3, 1] = np.nan, np.inf, -0.0
    content = encode_surface(".csv", U, V, error, PROVENANCE)
    table = np.loadtxt(io.BytesIO(content), delimiter=",", skiprows=2)
    read = table[:, 2].reshape(4, 3)
    np.testing.assert_array_equal(read, error)
    assert np.signbit(read[3, 1])


def test_text_rows_do_not_depend_on_the_size_of_a_block(monkeypatch):
    whole = encode_surface(".csv", U, V, ERROR, PROVENANCE)
    for size in (1, 5, 6, 12, 13):
        monkeypatch.setattr(rows, "BLOCK", size)
        assert encode_surface(".csv", U, V, ERROR, PROVENANCE) == whole


# Meshes


@pytest.mark.parametrize("suffix", MESHES)
def test_a_mesh_has_every_point_of_the_grid_and_the_error_as_its_height(suffix):
    vertices, _, values = READERS[suffix](encode_surface(suffix, U, V, ERROR, PROVENANCE))
    assert vertices == [[u, v, height(u, v)] for v in V.tolist() for u in U.tolist()]
    assert values == [z for _, _, z in vertices]


@pytest.mark.parametrize("suffix", MESHES)
def test_the_triangles_of_a_mesh_tile_the_window_and_face_up(suffix):
    vertices, triangles, _ = READERS[suffix](encode_surface(suffix, U, V, ERROR, PROVENANCE))
    areas = [seen_from_above(vertices, triangle) / 2 for triangle in triangles]
    assert len(triangles) == 2 * 2 * 3
    assert min(areas) > 0
    assert sum(areas) == pytest.approx((2.5 + 1) * (9 - 3))
    squares = []
    for triangle in triangles:
        x = [vertices[corner][0] for corner in triangle]
        y = [vertices[corner][1] for corner in triangle]
        i, j = U.tolist().index(min(x)), V.tolist().index(min(y))
        assert (max(x), max(y)) == (U[i + 1], V[j + 1])
        squares.append((i, j))
    assert sorted(squares) == sorted([(i, j) for i in range(2) for j in range(3)] * 2)
    edges = [
        (a, b)
        for triangle in triangles
        for a, b in zip(triangle, [*triangle[1:], triangle[0]], strict=True)
    ]
    assert len(set(edges)) == len(edges)  # neighbours run along a shared edge in opposite ways
    assert len({frozenset(edge) for edge in edges}) == 12 + 12 - 1  # Euler: V - E + F = 1


@pytest.mark.parametrize("suffix", MESHES)
@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_an_unknown_height_takes_its_triangles_with_it(suffix, hole):
    error = ERROR.copy()
    error[0, 0] = hole  # corner of one square
    error[2, 2] = hole  # on the right border: corner of two squares
    whole = READERS[suffix](encode_surface(suffix, U, V, ERROR, PROVENANCE))
    vertices, triangles, _ = READERS[suffix](encode_surface(suffix, U, V, error, PROVENANCE))
    gone = {(-1.0, 3.0), (2.5, 5.0)}

    def shadows(points, corners):
        return {frozenset(tuple(points[c][:2]) for c in triangle) for triangle in corners}

    expected = {shape for shape in shadows(*whole[:2]) if not shape & gone}
    assert shadows(vertices, triangles) == expected
    assert len(triangles) == len(expected) < len(whole[1])
    assert {c for triangle in triangles for c in triangle} == set(range(len(vertices)))
    assert all(z == height(u, v) for u, v, z in vertices)


def test_points_that_no_triangle_needs_are_left_out():
    error = np.zeros((3, 4))
    error[:2, 1] = np.nan  # (0, 0) and (0, 1) keep one triangle at most
    result = mesh.mesh_of_grid([0, 1, 2, 3], [0, 1, 2], error)
    assert np.isfinite(result.vertices).all()
    assert set(result.triangles.ravel().tolist()) == set(range(len(result.vertices)))
    assert [0.0, 0.0, 0.0] not in result.vertices.tolist()


def test_a_mesh_that_is_no_grid_keeps_values_apart_from_heights():
    """What an export along the kinks will hand over: any triangles, any values."""
    vertices = np.array([[0.0, 0, 5], [1, 0, 6], [0, 1, 7], [-1, -1, 8]])
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    values = np.array([0.25, -1.0, 3.0, 1e300])
    given = mesh.Mesh(vertices, triangles, values)
    for suffix, module in ((".ply", ply), (".vtk", vtk), (".obj", obj)):
        read = READERS[suffix](module.encode_mesh(given, "{}"))
        assert read[:2] == (vertices.tolist(), triangles.tolist())
        if suffix != ".obj":
            assert read[2] == values.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertices": np.zeros((3, 2))}, r"vertices have shape \(3, 2\)"),
        ({"values": np.zeros(2)}, r"values have shape \(2,\); it must be \(3,\)"),
        ({"triangles": np.array([[0, 1, 2, 0]])}, r"triangles have shape \(1, 4\)"),
        ({"triangles": np.zeros((0, 3), dtype=int)}, "at least one triangle"),
        ({"triangles": np.array([[0.0, 1.0, 2.0]])}, "whole numbers"),
        ({"triangles": np.array([[0, 1, 3]])}, "outside 0 to 2"),
        ({"triangles": np.array([[0, 1, -1]])}, "outside 0 to 2"),
        ({"values": np.array([0.0, np.nan, 0.0])}, "not finite"),
        ({"vertices": np.full((3, 3), np.inf)}, "not finite"),
    ],
)
def test_a_mesh_that_does_not_fit_is_refused(change, message):
    parts = {"vertices": np.eye(3), "triangles": np.array([[0, 1, 2]]), "values": np.zeros(3)}
    mesh.Mesh(**parts)
    with pytest.raises(ValueError, match=message):
        mesh.Mesh(**{**parts, **change})


@pytest.mark.parametrize("suffix", MESHES)
@pytest.mark.parametrize(
    ("u", "v", "error", "message"),
    [
        ([0], [0, 1], [[0], [0]], "two points or more along u"),
        ([0, 1], [2], [[0, 0]], "two points or more along v"),
        ([1, 0], [0, 1], np.zeros((2, 2)), "along u, in increasing order"),
        ([0, 1], [0, 0], np.zeros((2, 2)), "along v, in increasing order"),
        ([0, 1], [0, 1], np.full((2, 2), np.nan), "no triangle of the grid"),
    ],
)
def test_a_grid_without_triangles_is_refused(suffix, u, v, error, message):
    with pytest.raises(ValueError, match=message):
        encode_surface(suffix, u, v, error, "{}")


# All formats


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_transposed_grid_is_refused(suffix):
    with pytest.raises(ValueError, match=r"shape \(3, 4\); it must be \(n_v, n_u\) = \(4, 3\)"):
        encode_surface(suffix, U, V, ERROR.T, "{}")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("u", "message"),
    [
        (3.0, r"u has shape \(\); it must be \(n_u,\)"),
        ([], r"u has shape \(0,\)"),
        ([[0.0, 1.0, 2.0]], r"u has shape \(1, 3\)"),
        ([0.0, np.nan, 2.0], "u holds a coordinate that is not finite"),
    ],
)
def test_axes_that_are_none_are_refused(suffix, u, message):
    with pytest.raises(ValueError, match=message):
        encode_surface(suffix, u, V, ERROR, "{}")


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_arrays_of_the_caller_stay_as_they_were(suffix):
    error = ERROR.copy()
    error[0, 0] = np.nan
    given = [U.copy(), V.copy(), error.copy()]
    encode_surface(suffix, *given, "{}")
    for array, before in zip(given, (U, V, error), strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_file_holds_the_mark_whatever_the_provenance(suffix):
    for length in (1, 100_000):
        content = encode_surface(suffix, U, V, ERROR, json.dumps("x" * length))
        assert MARK.encode() in content[:65536] + b"|" + content[-65536:]


@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_comments_are_short_ascii_lines_that_hold_the_provenance(suffix):
    start = {".obj": "# ", ".ply": "comment "}[suffix]
    for filler in ("", "é" * 1000, " " * 1000):
        provenance = json.dumps({"title": filler, "seed": 1}, ensure_ascii=False, indent=1)
        header = encode_surface(suffix, U, V, ERROR, provenance).split(b"\nelement ")[0]
        lines = [s for s in header.decode("ascii").split("\n") if s.startswith(start)]
        assert max(map(len, lines)) <= 250
        texts = [line.removeprefix(start) for line in lines]
        assert texts[0] == MARK
        assert json.loads("".join(texts[1:])) == json.loads(provenance)


@pytest.mark.parametrize("length", [0, 61, 62, 16_381, 16_382, 70_000])
def test_vtk_carries_a_provenance_of_any_length(length):
    """At 64 and at 16384 bytes (two of them quotes) the length takes more room."""
    provenance = json.dumps("x" * length)
    (vertices, _, _), text = read_vtk_parts(encode_surface(".vtk", U, V, ERROR, provenance))
    assert text == provenance
    assert len(vertices) == 12


@pytest.mark.parametrize("provenance", ["", "made by hand", "{'a': 1}", '{"a": NaN}'])
def test_a_provenance_that_is_no_json_is_refused(provenance):
    for suffix in FORMATS:
        with pytest.raises(ValueError, match="the provenance must be a JSON text"):
            encode_surface(suffix, U, V, ERROR, provenance)


def test_one_line_keeps_the_value():
    line = one_line(PROVENANCE)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == json.loads(PROVENANCE)
    assert comment_lines(PROVENANCE, width=10)[1:] == [
        line[i : i + 10] for i in range(0, len(line), 10)
    ]


@pytest.mark.parametrize("suffix", ["", ".xyz", "npz", ".npz "])
def test_an_unknown_suffix_is_refused_with_the_choice(suffix):
    with pytest.raises(ValueError, match=r"choose \.npz, \.csv, \.obj, \.ply, \.vtk$"):
        encode_surface(suffix, U, V, ERROR, "{}")


def test_a_suffix_may_be_in_capitals():
    assert encode_surface(".NPZ", U, V, ERROR, "{}") == encode_surface(".npz", U, V, ERROR, "{}")


# Other people's readers


@pytest.fixture
def holed():
    error = ERROR.copy()
    error[1, 0] = np.nan  # leaves out one point and three triangles
    return error


@pytest.mark.optional
@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_trimesh_opens_a_mesh(tmp_path, holed, suffix):
    trimesh = pytest.importorskip("trimesh")
    path = tmp_path / f"surface{suffix}"
    path.write_bytes(encode_surface(suffix, U, V, holed, PROVENANCE))
    read = trimesh.load(path, process=False)
    assert read.faces.shape == (9, 3)
    np.testing.assert_array_equal(read.vertices[:3, 2], ERROR[0])
    assert (read.face_normals[:, 2] > 0).all()


@pytest.mark.optional
@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_meshio_opens_a_mesh(tmp_path, holed, suffix):
    meshio = pytest.importorskip("meshio")
    path = tmp_path / f"surface{suffix}"
    path.write_bytes(encode_surface(suffix, U, V, holed, PROVENANCE))
    read = meshio.read(path)
    assert read.points.shape == (11, 3)
    np.testing.assert_array_equal(read.points[:3, 2], ERROR[0])
    assert read.cells_dict["triangle"].shape == (9, 3)
    if suffix == ".ply":
        np.testing.assert_array_equal(read.point_data["error"], read.points[:, 2])


@pytest.mark.optional
@pytest.mark.parametrize(
    ("suffix", "reader"),
    [(".vtk", "vtkPolyDataReader"), (".ply", "vtkPLYReader"), (".obj", "vtkOBJReader")],
)
@pytest.mark.parametrize("length", [0, 300, 30_000])
def test_the_readers_of_paraview_open_a_mesh(tmp_path, holed, suffix, reader, length):
    vtk_library = pytest.importorskip("vtk")
    path = tmp_path / f"surface{suffix}"
    provenance = json.dumps({"title": "50%25 é" + "x" * length})
    path.write_bytes(encode_surface(suffix, U, V, holed, provenance))
    read = getattr(vtk_library, reader)()
    read.SetFileName(str(path))
    read.Update()
    surface = read.GetOutput()
    assert (surface.GetNumberOfPoints(), surface.GetNumberOfPolys()) == (11, 9)
    assert surface.GetBounds() == pytest.approx((-1, 2.5, 3, 9, ERROR.min(), ERROR.max()))
    if suffix == ".vtk":
        errors = surface.GetPointData().GetArray("error")
        assert [errors.GetValue(i) for i in range(11)] == ERROR[np.isfinite(holed)].tolist()
        text = surface.GetFieldData().GetAbstractArray("provenance").GetValue(0)
        assert json.loads(text) == json.loads(provenance)


@pytest.mark.optional
def test_pandas_opens_csv(holed):
    pandas = pytest.importorskip("pandas")
    content = encode_surface(".csv", U, V, holed, PROVENANCE)
    table = pandas.read_csv(io.BytesIO(content), comment="#")
    assert list(table.columns) == ["u", "v", "error"]
    read = table["error"].to_numpy().reshape(4, 3)
    np.testing.assert_allclose(read, holed, rtol=1e-14)  # older versions round the last digit
