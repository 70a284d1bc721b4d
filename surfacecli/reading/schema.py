"""The keys of a preset, their types and their bounds; the JSON Schema for editors.

Which keys need or exclude each other stands in `rules.py` (and here, for editors only, in
`json_schema_extra`): so that one such mistake does not hide the others.
"""

from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from surfacecli.reading.shipped import SAFE_NAME

TransferName = Literal[
    "relu", "leaky_relu", "abs", "hard_tanh", "identity", "tanh", "sigmoid", "softplus"
]
LossName = Literal["squared", "half_squared", "cross_entropy", "logistic"]
StyleName = Literal["modern", "post", "cells"]
SizeName = Literal["page", "column"]

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Width = Annotated[int, Field(ge=1, le=1_000_000)]
Points = Annotated[int, Field(ge=2, le=20_000)]
Bound = Annotated[float, Field(ge=-1e9, le=1e9)]
SliceName = Annotated[str, Field(pattern=f"^{SAFE_NAME}$")]


def _shape_of(value: object) -> str:
    """Which of the forms of a key this is: a list, a mapping or a single value."""
    if isinstance(value, list):
        return "(list)"
    return "(mapping)" if isinstance(value, dict) else "(single)"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("unprintable", "holds a control character or a line break")
    return text


Title = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
FORMS = Discriminator(_shape_of)


class Keys(BaseModel):
    """A mapping with known keys: nothing is converted, nothing unknown is let through."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class LeakySlope(Keys):
    """leaky_relu with its slope on the left of 0."""

    leaky_relu: Annotated[float, Field(gt=0, lt=1, examples=[0.2])]
    """The slope on the left of 0, between 0 and 1."""


Transfer = Annotated[
    Annotated[TransferName, Tag("(single)")] | Annotated[LeakySlope, Tag("(mapping)")],
    Field(discriminator=FORMS),
]
TransferList = Annotated[list[Transfer], Field(min_length=1)]
LayerList = Annotated[list[int], Field(min_length=1)]
Layers = Annotated[Annotated[int, Tag("(single)")] | Annotated[LayerList, Tag("(list)")], FORMS]
Resolution = Annotated[
    Annotated[Points, Tag("(single)")]
    | Annotated[list[Points], Field(min_length=2, max_length=2), Tag("(list)")],
    FORMS,
]


class Weights(Keys):
    """Where the network's weights (and biases) come from: a seed or a file."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["seed", "file"]}})

    seed: Annotated[Seed | None, Field(examples=[1])] = None
    """Draw Gaussian weights, scaled by 1/sqrt(fan-in), from this seed (default 0)."""
    file: Annotated[str | None, Field(examples=["net.npz"])] = None
    """An .npz file with W1, W2, ... of shape (outputs, inputs) and optionally b1, b2, ...;
    relative to the preset."""


class Network(Keys):
    """The network: a_0 = x, h_l = W_l a_{l-1} + b_l, a_l = f_l(h_l)."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["widths"]}, {"required": ["weights"]}]}
    )

    widths: Annotated[list[Width] | None, Field(min_length=2, examples=[[10, 10, 10]])] = None
    """Inputs, units of every hidden layer, outputs; can be left out with weights from a file."""
    transfer: Annotated[
        Annotated[TransferName, Tag("(single)")]
        | Annotated[LeakySlope, Tag("(mapping)")]
        | Annotated[TransferList, Tag("(list)")],
        FORMS,
        Field(examples=["relu", ["relu", "identity"], {"leaky_relu": 0.2}]),
    ] = "relu"
    """The transfer function: one for all layers, or a list with one per layer."""
    weights: Annotated[Weights, Field(examples=[{"seed": 1}, {"file": "net.npz"}])] = Weights()
    """Where the weights come from."""
    biases: Annotated[bool, Field(examples=[True])] = False
    """Whether every layer has biases, drawn with the weights; a file of weights decides itself."""


class Data(Keys):
    """The data set: drawn, from a file, or one that ships."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["samples"]}, {"required": ["file"]}, {"required": ["bundled"]}]
        }
    )

    samples: Annotated[int | None, Field(ge=1, le=200_000_000, examples=[10])] = None
    """Draw this many data points."""
    seed: Annotated[Seed | None, Field(examples=[2])] = None
    """The seed of drawn data (default 0)."""
    file: Annotated[str | None, Field(examples=["data.npz"])] = None
    """An .npz file with inputs (N, n_0) and targets (N, n_L); relative to the preset."""
    bundled: Annotated[str | None, Field(examples=["iris"])] = None
    """The name of a data set that ships with surface."""


class Eigenvector(Keys):
    """An eigenvector of the Hessian of the layer that moves, at the network's own weights."""

    hessian: Annotated[int, Field(ge=1, examples=[1])]
    """Which one: 1 has the largest eigenvalue, 2 the next ..."""


EigenvectorNumber = Annotated[int, Field(ge=1)]
Marked = Annotated[
    Annotated[Literal["gradient"], Tag("(single)")] | Annotated[Eigenvector, Tag("(mapping)")],
    FORMS,
]
#: The keys of `directions` that exclude each other; u and v go together.
SOURCES = ("seed", "file", "hessian", "u")


class Directions(Keys):
    """Where the directions U and V come from: a seed, a file, or the error itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [{"not": {"required": list(pair)}} for pair in combinations(SOURCES, 2)],
            "dependentRequired": {"u": ["v"], "v": ["u"]},
        }
    )

    seed: Annotated[Seed | None, Field(examples=[3])] = None
    """Draw Gaussian directions, scaled by 1/sqrt(fan-in), from this seed (default 0)."""
    file: Annotated[str | None, Field(examples=["directions.npz"])] = None
    """An .npz file with U1, V1, U2, ...: one for each layer that u or v moves; relative to
    the preset."""
    hessian: Annotated[
        list[EigenvectorNumber] | None, Field(min_length=2, max_length=2, examples=[[1, 2]])
    ] = None
    """U and V are eigenvectors of the Hessian of the layer that moves, at the network's own
    weights: these, numbered from the largest eigenvalue. Each has norm 1."""
    u: Annotated[Marked | None, Field(examples=["gradient", {"hessian": 1}])] = None
    """U is the gradient, or an eigenvector, at the network's own weights; of norm 1."""
    v: Annotated[Marked | None, Field(examples=["gradient", {"hessian": 1}])] = None
    """V is the gradient, or an eigenvector, at the network's own weights; of norm 1."""
    scale: Annotated[Literal["gaussian", "filter"], Field(examples=["filter"])] = "gaussian"
    """filter: every row gets the norm of the same row of the weights (Li et al. 2018).
    gaussian: as drawn."""


class Slice(Keys):
    """A slice theta_0 + u U + v V: within one layer, across two, or mixed."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["layer"], "properties": {"u": False, "v": False}},
                {"required": ["u", "v"], "properties": {"layer": False}},
            ]
        }
    )

    layer: Annotated[int | None, Field(examples=[1])] = None
    """The layer that u and v move; layers count from 1."""
    u: Annotated[Layers | None, Field(examples=[1, [1, 2]])] = None
    """The layer, or the list of layers, that u moves."""
    v: Annotated[Layers | None, Field(examples=[2, [1, 2]])] = None
    """The layer, or the list of layers, that v moves."""
    origin: Annotated[Literal["zero", "weights"], Field(examples=["weights"])] = "zero"
    """The moved layers at u = v = 0: zero, or the network's own weights."""
    directions: Annotated[Directions, Field(examples=[{"seed": 3}, {"hessian": [1, 2]}])] = (
        Directions()
    )
    """Where the directions come from."""


class Window(Keys):
    """The rectangle of the slice that is looked at."""

    u: Annotated[list[Bound], Field(min_length=2, max_length=2, examples=[[-1, 1]])] = [-1.0, 1.0]
    """Lower and upper bound of u."""
    v: Annotated[list[Bound], Field(min_length=2, max_length=2, examples=[[-1, 1]])] = [-1.0, 1.0]
    """Lower and upper bound of v."""


class Figure(Keys):
    """How the figures look."""

    style: Annotated[StyleName, Field(examples=["post"])] = "modern"
    """modern; post, the look of the originals; or cells, the exact cells from above."""
    size: Annotated[SizeName, Field(examples=["column"])] = "page"
    """page, 7.1 inches wide; or column, 3.5 inches wide, for one column of a journal."""


class Preset(Keys):
    """A study for `surface`: a network, its data and loss, and slices of its error surface."""

    model_config = ConfigDict(
        title="surface preset",
        json_schema_extra={
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "required": ["network", "data", "slices"],
        },
    )

    title: Annotated[Title | None, Field(examples=["My net"])] = None
    """What the study shows, in one line; default: the name of the file."""
    network: Annotated[Network | None, Field(examples=[{"widths": [10, 10, 10]}])] = None
    """The network."""
    data: Annotated[Data | None, Field(examples=[{"samples": 10, "seed": 2}])] = None
    """The data set."""
    loss: Annotated[LossName, Field(examples=["squared"])] = "squared"
    """The loss of one data point; the error is its sum over the data."""
    slices: Annotated[
        dict[SliceName, Slice] | None,
        Field(min_length=1, examples=[{"E1": {"layer": 1}}]),
    ] = None
    """The slices by name; the names become names of files."""
    window: Annotated[Window, Field(examples=[{"u": [-1, 1], "v": [-1, 1]}])] = Window()
    """The window of every slice."""
    resolution: Annotated[Resolution | None, Field(examples=[201, [41, 41]])] = None
    """Grid points along u and along v, or one number for both; default: what the style wants."""
    figure: Annotated[Figure, Field(examples=[{"style": "post"}])] = Figure()
    """How the figures look."""


class _ForEditors(GenerateJsonSchema):
    """None means "left out" in the models; in the file no key takes null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None or isinstance(schema["default"], BaseModel):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        return super().dict_schema(schema) | {"additionalProperties": False}

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a preset file."""
    return Preset.model_json_schema(schema_generator=_ForEditors)
