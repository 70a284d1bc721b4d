"""What the schema refuses, in plain English: what stands there and what would be right."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from surfacecli.reading.problems import KeyPath, Problem, guess, in_words, shown_key
from surfacecli.reading.schema import Preset, json_schema
from surfacecli.reading.shipped import NAME_RULE

_WANTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def find_schema_problems(value: object) -> list[Problem]:
    """Everything in a document that the schema refuses; empty where it fits."""
    try:
        Preset.model_validate(value)
    except ValidationError as error:
        schema = json_schema()
        return [_explain(details, value, schema) for details in error.errors(include_url=False)]
    return []


def _explain(details: ErrorDetails, document: object, schema: dict[str, Any]) -> Problem:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    path = _path_in(document, details["loc"])
    such_as = _such_as(schema, path)
    if kind == "extra_forbidden":
        return Problem(
            _unknown_key(str(path[-1]), _known_keys(schema, path[:-1])), path, None, True
        )
    if kind == "string_pattern_mismatch":
        return Problem(f"no name for a slice; use {NAME_RULE}", path, None, True)
    if kind == "literal_error":
        return Problem(_unknown_word(value, context["expected"], such_as), path)
    if kind in _WANTED:
        return Problem(_wrong_type(value, _WANTED[kind], such_as), path)
    if kind in _BOUNDS:
        name, must = _BOUNDS[kind]
        bound = context[name]
        bound = bound if isinstance(bound, int) else f"{bound:.12g}"
        return Problem(f"{shown(value)} {must} {bound}", path)
    if kind == "finite_number":
        return Problem(f"{shown(value)} is not a finite number", path)
    if kind == "too_short":
        return Problem(
            f"{_entries(context['actual_length'])}, at least {context['min_length']} wanted"
            f"{such_as}",
            path,
        )
    if kind == "too_long":
        return Problem(
            f"{_entries(context['actual_length'])}, {context['max_length']} wanted{such_as}", path
        )
    if kind == "string_too_long":
        return Problem(f"longer than {context['max_length']} characters", path)
    if kind == "missing":
        return Problem(f"{details['loc'][-1]} is missing{such_as}", path)
    if kind.startswith("union_tag"):
        return Problem(f"{shown(value)} cannot stand here{such_as}", path)
    return Problem(details["msg"], path)


def shown(value: object) -> str:
    """A value of a preset for a message, cut where it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return shown_key(repr(value))


def _path_in(document: Any, location: tuple[str | int, ...]) -> KeyPath:
    """pydantic's location without what is not in the document: its names for forms of a union."""
    path: KeyPath = ()
    for part in location:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            continue
        path = (*path, part)
    return path


def _wrong_type(value: object, wanted: str, such_as: str) -> str:
    if value is None:
        return f"nothing stands here; leave the key out or give {wanted}{such_as}"
    if isinstance(value, int) and not isinstance(value, bool) and wanted == "a number":
        return f"{shown(value)} is too large for a number"
    if isinstance(value, str) and "number" in wanted and _is_number(value):
        return f"{shown(value)} is text; write the number without quotes"
    if wanted == "text" and not isinstance(value, (list, dict)):
        return f"{shown(value)} is not text; put it in quotes"
    return f"{shown(value)} is not {wanted}{such_as}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unknown_key(key: str, known: list[str]) -> str:
    return f"unknown key; {guess(key, known) or 'known are ' + in_words(known, 'and')}"


def _unknown_word(value: object, expected: str, such_as: str) -> str:
    # pydantic writes the choices as 'a', 'b' or 'c'; of one alone there are other forms.
    choices = expected.split("'")[1::2]
    offer = f"choose {in_words(choices)}" if len(choices) > 1 else such_as.removeprefix("; ")
    word = value if isinstance(value, str) else ""
    return f"{shown(value)} is unknown here; {guess(word, choices, offer)}"


def _entries(count: int) -> str:
    return {0: "no entry", 1: "1 entry"}.get(count, f"{count} entries")


def _such_as(schema: dict[str, Any], path: KeyPath) -> str:
    """'; write for instance ...' with the examples of the key, as they stand in YAML."""
    for node in _nodes_at(schema, path):
        if node.get("examples"):
            examples = [json.dumps(example).replace('"', "") for example in node["examples"]]
            return f"; write for instance {in_words(examples)}"
    return ""


def _known_keys(schema: dict[str, Any], path: KeyPath) -> list[str]:
    return [key for node in _nodes_at(schema, path) for key in node.get("properties", ())]


def _nodes_at(schema: dict[str, Any], path: KeyPath) -> list[dict[str, Any]]:
    """The parts of the JSON Schema that describe the value at a path."""
    nodes = list(_unfolded(schema, schema))
    for part in path:
        below: list[dict[str, Any]] = []
        for node in nodes:
            if isinstance(part, int):
                below += [node["items"]] if "items" in node else []
            elif isinstance(node.get("properties", {}).get(part), dict):
                below.append(node["properties"][part])
            else:
                below += node.get("patternProperties", {}).values()
        nodes = [form for node in below for form in _unfolded(schema, node)]
    return nodes


def _unfolded(schema: dict[str, Any], node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The node, what it refers to, and the alternatives it allows."""
    yield node
    if "$ref" in node:
        yield from _unfolded(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    # pydantic before 2.9 wraps what it refers to in allOf.
    for alternative in (part for key in ("oneOf", "anyOf", "allOf") for part in node.get(key, ())):
        # Alternatives that only require keys describe no value of their own.
        if "required" not in alternative:
            yield from _unfolded(schema, alternative)
