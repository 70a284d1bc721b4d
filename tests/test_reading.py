"""YAML with marks, arrays from files that may be anything, and the schema of presets."""

import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from surfacecli.network.losses import LOSSES
from surfacecli.network.transfers import TRANSFERS
from surfacecli.reading import arrays as arrays_module
from surfacecli.reading.arrays import read_arrays
from surfacecli.reading.explain import find_schema_problems
from surfacecli.reading.schema import Keys, json_schema
from surfacecli.reading.yaml_marks import MOST_VALUES, YamlError, read_yaml

# YAML: what scalars mean.

SCALARS = {
    "1": 1,
    "-12": -12,
    "+3": 3,
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "1e3": 1000.0,
    "1e-6": 1e-6,
    "-.5E+2": -50.0,
    "2.": 2.0,
    "1.5": 1.5,
    ".inf": math.inf,
    "-.Inf": -math.inf,
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    "no": "no",
    "on": "on",
    "yes": "yes",
    "1:30": "1:30",
    "1_000": "1_000",
    "2020-01-01": "2020-01-01",
    "'12'": "12",
    '"true"': "true",
    "'null'": "null",
    "relu": "relu",
    "!!str 12": "12",
    "1e": "1e",
    ".": ".",
    "-": [None],
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_mean_what_yaml_1_2_says(text: str) -> None:
    value = read_yaml(f"[{text}]" if text not in ("", "-") else f"- {text}\n").value
    expected = SCALARS[text]
    assert value == [expected]
    assert type(value[0]) is type(expected)  # type: ignore[index]


def test_nan_is_a_number() -> None:
    assert math.isnan(read_yaml("a: .nan").value["a"])  # type: ignore[index]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc :-#'\"{}[]é", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(plain, st.booleans())
def test_what_pyyaml_writes_is_read_back(value: Any, flow: bool) -> None:
    # JSON is YAML 1.2, and block style comes from PyYAML, which quotes all that is ambiguous.
    text = json.dumps(value) if flow else yaml.safe_dump(value, allow_unicode=True)
    assert read_yaml(text).value == value


def test_every_value_and_key_has_its_place() -> None:
    lines = ["a: 1", "b:", "  c: [10, xx]", "  dd:   {e: 5}"]
    document = read_yaml("\n".join(lines))
    for path, mark in document.marks.items():
        if path in (("a",), ("b", "c", 0), ("b", "c", 1), ("b", "dd", "e")):
            value = document.value
            for part in path:
                value = value[part]  # type: ignore[index]
            assert lines[mark[0] - 1][mark[1] - 1 :].startswith(str(value))
    assert document.marks["b", "c", 1] == (3, 11)
    assert document.keys["b", "dd"] == (4, 3)
    assert document.marks["b", "dd"] == (4, 9)


def test_a_second_key_is_reported_where_it_stands_and_the_first_is_kept() -> None:
    document = read_yaml("a: 1\nb: 2\na: 3\n")
    assert document.value == {"a": 1, "b": 2}
    (problem,) = document.problems
    assert (problem.mark, problem.path) == ((3, 1), ("a",))
    assert "first in line 1" in problem.what
    assert document.marks["a",] == (1, 4)


def test_aliases_stand_for_their_value() -> None:
    assert read_yaml("a: &x {b: 1}\nc: *x\n").value == {"a": {"b": 1}, "c": {"b": 1}}


FATAL = {
    "empty": ("", (1, 1), "empty"),
    "only a comment": ("# a\n", (1, 1), "empty"),
    "two documents": ("a: 1\n---\nb: 1\n", (2, 1), "second document"),
    "open list": ("a: [1\n", (2, 1), "no valid YAML"),
    "tab": ("a:\n\tb: 1\n", (2, 1), "no valid YAML"),
    "control character": ("a: \x07\n", (1, 1), "control characters"),
    "unknown alias": ("a: *b\n", (1, 4), "&b"),
    "recursive alias": ("a: &a [*a]\n", (1, 8), "&a"),
    "list as a key": ("? [a]\n: 1\n", (1, 3), "plain text"),
    "deep flow": ("[" * 300_000, (1, 22), "nesting"),
    "deep block": ("- " * 300_000, (1, 43), "nesting"),
    "many values": ("[" + "1," * MOST_VALUES + "1]", None, "values"),
}


@pytest.mark.parametrize("case", FATAL)
def test_what_is_no_document_is_refused_in_one_line(case: str) -> None:
    text, mark, what = FATAL[case]
    with pytest.raises(YamlError, match=what) as caught:
        read_yaml(text)
    if mark is not None:
        assert caught.value.problem.mark == mark
    assert "\n" not in caught.value.problem.what


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    rows = ["a0: &a0 [x]"]
    rows += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 30)]
    with pytest.raises(YamlError, match="values") as caught:
        read_yaml("\n".join(rows))
    assert caught.value.problem.mark is not None
    # 10^4 values are still affordable, 10^5 are not.
    assert caught.value.problem.mark[0] == 5


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.getcwd", "!mine", "!!binary", "!!int"])
def test_tags_are_refused(tag: str) -> None:
    (problem,) = read_yaml(f"a: {tag} 'x'\n").problems
    assert problem.path == ("a",)
    assert tag in problem.what


def test_a_merge_key_is_refused_without_consequences() -> None:
    document = read_yaml("a: &a {b: 1}\nc:\n  <<: *a\n  d: 2\n")
    (problem,) = document.problems
    assert "merge" in problem.what
    assert problem.mark == (3, 3)
    assert document.value["c"] == {"b": 1, "d": 2}  # type: ignore[index]


def test_a_number_of_many_digits_is_refused() -> None:
    (problem,) = read_yaml("a: " + "9" * 5000).problems
    assert "5000" in problem.what


# Arrays.


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_header(shape: str, descr: str = "'<f8'", data: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4", "f2", "i1", "u8", ">i4", "?", "g"])
@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_of_numbers_come_as_float64(tmp_path: Path, dtype: str, compressed: bool) -> None:
    tall = np.array([[0, 1], [1, 1], [0, 0]], dtype)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", A=tall, B=tall.T)
    result = read_arrays(tmp_path / "a.npz", "A|B")
    assert result.named["A"].tolist() == [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    assert result.named["B"].tolist() == [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    for array in result.named.values():
        assert array.dtype == np.float64
        assert array.dtype.isnative
        assert array.flags.writeable
        assert array.flags.c_contiguous


def test_only_wanted_arrays_are_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", W1=npy(np.ones(2)), names=npy(np.array([{}])))
    result = read_arrays(path, r"W\d+")
    assert set(result.named) == {"W1"}
    assert set(result.names) == {"W1", "names"}


BAD_MEMBERS = {
    "objects": (npy(np.array([{}], dtype=object)), "Python objects"),
    "complex": (npy(np.ones(2, complex)), "complex128"),
    "text": (npy(np.array(["a"])), "<U1"),
    "dates": (npy(np.array(["2020-01-01"], "M8[s]")), "datetime64"),
    "records": (npy(np.zeros(2, "f8,f8")), "not real numbers"),
    "short": (npy(np.ones(6))[:-8], "damaged"),
    "long": (npy(np.ones(6)) + b"12345678", "damaged"),
    "negative": (npy_header("(-2, -3)", data=bytes(48)), "damaged"),
    "immense": (npy_header("(1000000, 1000000)"), "2e\\+08"),
    "no header": (b"abc", "damaged"),
    "torn header": (npy_header("(3, 2"), "damaged"),
}


@pytest.mark.parametrize("case", BAD_MEMBERS)
def test_bad_members_are_refused(tmp_path: Path, case: str) -> None:
    content, what = BAD_MEMBERS[case]
    path = zipped(tmp_path / "a.npz", W1=content)
    with pytest.raises(ValueError, match=what):
        read_arrays(path, "W1")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays_module, "MOST_BYTES", 1000)
    path = zipped(tmp_path / "a.npz", W1=npy(np.zeros(10)), W2=npy(np.zeros(1000)))
    monkeypatch.setattr(zipfile.ZipFile, "open", None)  # nothing may be opened
    with pytest.raises(ValueError, match="unpacks to"):
        read_arrays(path, r"W\d")


def test_files_that_hold_no_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones(2))
    np.savez(tmp_path / "good.npz", W1=np.ones(200))
    content = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    flipped = bytearray(content)
    flipped[content.index(b"NUMPY") + 200] ^= 1
    (tmp_path / "flipped.npz").write_bytes(flipped)
    (tmp_path / "text.npz").write_text("W1: [1, 2]")
    (tmp_path / "empty.npz").touch()
    wrong = {
        "none.npz": "no such file",
        ".": "folder",
        "one.npy": ".npy file",
        "cut.npz": "cut short",
        "flipped.npz": "damaged",
        "text.npz": "no .npz file",
        "empty.npz": "no .npz file",
        "nul\0.npz": "null",
        "x" * 300: "cannot be read",
    }
    for name, what in wrong.items():
        with pytest.raises(ValueError, match=re.escape(what)):
            read_arrays(tmp_path / name, "W1")


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4))
def test_damage_is_a_value_error_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    np.savez(path, W1=np.ones((2, 3)), b1=np.ones(2))
    content = bytearray(path.read_bytes())
    for position, byte in changes:
        content[position % len(content)] = byte
    path.write_bytes(content)
    try:
        named = read_arrays(path, "[Wb]1").named
    except ValueError:
        return
    # What is read in spite of changes (in times and names of the zip) holds the numbers put in.
    assert all((array == 1.0).all() for array in named.values())


# The schema.


def models(kind: type[Keys] = Keys) -> list[type[Keys]]:
    return [model for sub in kind.__subclasses__() for model in (sub, *models(sub))]


def test_every_key_says_what_it_is() -> None:
    found = models()
    assert {"Preset", "Network", "Data", "Slice", "Directions"} <= {m.__name__ for m in found}
    for model in found:
        for name, key in model.model_fields.items():
            assert key.description, f"{model.__name__}.{name}"
            assert key.examples, f"{model.__name__}.{name}"


def test_the_schema_names_the_functions_that_exist() -> None:
    schema = json_schema()
    transfers = schema["$defs"]["Network"]["properties"]["transfer"]["oneOf"][0]["enum"]
    assert set(transfers) == set(TRANSFERS)
    assert set(schema["properties"]["loss"]["enum"]) == set(LOSSES)


def test_no_key_takes_null() -> None:
    assert "null" not in json.dumps(json_schema())
    assert json_schema()["required"] == ["network", "data", "slices"]


MARKED: dict[str, Any] = {
    "c": {"layer": 1, "directions": {"hessian": [1, 2], "scale": "filter"}},
    "d": {"layer": 1, "directions": {"u": "gradient", "v": {"hessian": 1}}},
}
GOOD: dict[str, Any] = {
    "network": {"widths": [2, 3, 1], "transfer": ["relu", {"leaky_relu": 0.2}]},
    "data": {"samples": 3},
    "slices": {"a": {"layer": 1}, "b": {"u": [1, 2], "v": 2}, **MARKED},
    "window": {"u": [-1, 2.5]},
    "resolution": 5,
}
REFUSED_BY_EDITORS: list[tuple[str, Any]] = [
    ("slices", {}),
    ("slices", {".a": {"layer": 1}}),
    ("slices", {"a": {"layer": 1, "u": 1, "v": 2}}),
    ("slices", {"a": {"u": 1}}),
    ("slices", {"a": {"layer": 1, "directions": {"seed": 1, "file": "a"}}}),
    ("slices", {"a": {"layer": 1, "directions": {"seed": 1, "hessian": [1, 2]}}}),
    ("slices", {"a": {"layer": 1, "directions": {"hessian": [1, 0]}}}),
    ("slices", {"a": {"layer": 1, "directions": {"hessian": [1]}}}),
    ("slices", {"a": {"layer": 1, "directions": {"u": "gradient"}}}),
    ("slices", {"a": {"layer": 1, "directions": {"v": "gradient"}}}),
    ("slices", {"a": {"layer": 1, "directions": {"u": "uphill", "v": "gradient"}}}),
    ("data", {"samples": 3, "bundled": "iris"}),
    ("data", {"seed": 3}),
    ("network", {"transfer": "relu"}),
    ("network", {"widths": [3]}),
    ("network", {"widths": [3, 2], "transfer": {"relu": 1}}),
    ("network", {"widths": [3, 2], "weights": {"seed": 1, "file": "a"}}),
    ("resolution", [1, 2]),
    ("resolution", [3, 4, 5]),
    ("title", None),
    ("colour", "red"),
]


@pytest.mark.optional
@pytest.mark.parametrize(("key", "value"), REFUSED_BY_EDITORS)
def test_an_editor_sees_what_the_reader_sees(key: str, value: Any) -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    validator.check_schema(json_schema())
    assert list(validator(json_schema()).iter_errors(GOOD)) == []
    assert list(validator(json_schema()).iter_errors({**GOOD, key: value}))


def test_a_good_document_has_no_schema_problem() -> None:
    assert find_schema_problems(GOOD) == []


WRONG = [
    (("widths", [True, 1]), ("widths", 0), "true is not a whole number"),
    (("widths", ["12", 1]), ("widths", 0), "'12' is text; write the number without quotes"),
    (("widths", [1.5, 1]), ("widths", 0), "1.5 is not a whole number"),
    (("widths", [0, 1]), ("widths", 0), "0 must be at least 1"),
    (("widths", [10**9, 1]), ("widths", 0), "1000000000 must be at most 1000000"),
    (("widths", [1]), ("widths",), "1 entry, at least 2 wanted; write for instance [10, 10, 10]"),
    (("widths", 3), ("widths",), "3 is not a list; write for instance [10, 10, 10]"),
    (("biases", "no"), ("biases",), "'no' is not true or false; write for instance true"),
    (("transfer", "rleu"), ("transfer",), "did you mean 'relu'?"),
    (("transfer", ["tanh", 3]), ("transfer", 1), "3 is unknown here; choose relu, leaky_relu"),
    (("transfer", {"leaky_relu": 1}), ("transfer", "leaky_relu"), "1 must be less than 1"),
    (("transfer", [{"leaky": 1}]), ("transfer", 0, "leaky"), "did you mean 'leaky_relu'?"),
    (("widhts", [1, 2]), ("widhts",), "unknown key; did you mean 'widths'?"),
    (("q", 1), ("q",), "unknown key; known are widths, transfer, weights and biases"),
    (("weights", "net.npz"), ("weights",), "'net.npz' is not a mapping"),
    (("weights", {"file": 12}), ("weights", "file"), "12 is not text; put it in quotes"),
    (("weights", {"seed": -1}), ("weights", "seed"), "-1 must be at least 0"),
    (("weights", {"seed": 2**63}), ("weights", "seed"), f"must be less than {2**63}"),
]


@pytest.mark.parametrize(("entry", "path", "what"), WRONG)
def test_mistakes_are_told_in_plain_english(
    entry: tuple[str, Any], path: tuple[str | int, ...], what: str
) -> None:
    network = {"widths": [2, 3, 1], entry[0]: entry[1]}
    found = {p.path: p.what for p in find_schema_problems({**GOOD, "network": network})}
    assert what in found["network", *path]
    assert "Input should" not in found["network", *path]


@pytest.mark.parametrize(
    ("bounds", "what"),
    [
        ([math.nan, 1], "nan is not a finite number"),
        ([math.inf, 1], "inf is not a finite number"),
        ([10**400, 1], "too large"),
        ([1e10, 1], "must be at most 1000000000"),
        (["1", 1], "without quotes"),
        ([True, 1], "true is not a number"),
    ],
)
def test_bounds_are_finite_numbers(bounds: list[Any], what: str) -> None:
    (problem,) = find_schema_problems({**GOOD, "window": {"v": bounds}})
    assert problem.path == ("window", "v", 0)
    assert what in problem.what
