"""YAML text to plain values, with the line and column of each.

It reads the parser's events itself: so it decides what a scalar means (YAML 1.2 core, not PyYAML's
1.1, where 1e3 is text, `no` a boolean and 010 is 8), and nothing is built before it is bounded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from surfacecli.reading.problems import KeyPath, Mark, Problem, shown_key

# A preset has some dozens of values, three or four levels deep; an alias bomb has billions.
MOST_VALUES = 20_000
DEEPEST = 20
LONGEST_NUMBER = 300

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)

# libyaml where PyYAML was built with it, else the same parser in Python.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(Exception):
    """The text cannot be read as YAML at all; `problem` says where and why."""

    def __init__(self, what: str, mark: Mark = (1, 1)) -> None:
        self.problem = Problem(what, mark=mark)
        super().__init__(what)


@dataclass(frozen=True)
class Document:
    """A YAML document: its value, the marks of its values and keys, and what is wrong so far."""

    value: object
    marks: dict[KeyPath, Mark] = field(default_factory=dict)
    keys: dict[KeyPath, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_yaml(text: str) -> Document:
    """The one document of a YAML text, its keys as the text that is written.

    Duplicate keys, merge keys, tags and keys that are no text are among the document's problems.
    Raises `YamlError` where there is no document to speak of.
    """
    try:
        return _Reading(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f" ({error.context})" if error.context else ""
        raise YamlError(f"no valid YAML: {error.problem}{context}", _mark(mark)) from error
    except yaml.YAMLError as error:
        raise YamlError(
            f"no valid YAML: {getattr(error, 'reason', None) or 'it cannot be read'}; a preset is "
            "plain text without control characters"
        ) from error


def _mark(mark: Any) -> Mark:
    # Any: libyaml and the Python parser have a Mark type each.
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


class _Reading:
    """One pass over the events of a text."""

    def __init__(self, text: str) -> None:
        self.events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=_LOADER))
        self.marks: dict[KeyPath, Mark] = {}
        self.keys: dict[KeyPath, Mark] = {}
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[object, int]] = {}
        self.values = 0

    def document(self) -> Document:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise YamlError("the file is empty; `surface presets new FILE` writes a starter")
        value = self.read(next(self.events), ())
        next(self.events)  # the end of the document
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise YamlError(
                "a second document starts here (---); a preset is one document",
                _mark(after.start_mark),
            )
        return Document(value, self.marks, self.keys, self.problems)

    def read(self, event: yaml.Event, path: KeyPath) -> object:
        self.marks[path] = mark = _mark(event.start_mark)
        self.count(1, mark)
        if len(path) > DEEPEST:
            raise YamlError(f"more than {DEEPEST} levels of nesting; a preset needs four", mark)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise YamlError(
                    f"no value is named &{shown_key(str(event.anchor))} before here", mark
                )
            value, size = self.anchors[event.anchor]
            self.count(size, mark)
            return value
        before = self.values
        if isinstance(event, yaml.MappingStartEvent):
            self.refuse_tag(event, "tag:yaml.org,2002:map", path)
            value = self.mapping(path)
        elif isinstance(event, yaml.SequenceStartEvent):
            self.refuse_tag(event, "tag:yaml.org,2002:seq", path)
            value = self.sequence(path)
        else:
            assert isinstance(event, yaml.ScalarEvent)
            value = self.scalar(event, path)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self.anchors[anchor] = (value, self.values - before)
        return value

    def count(self, size: int, mark: Mark) -> None:
        self.values += size
        if self.values > MOST_VALUES:
            raise YamlError(
                f"more than {MOST_VALUES} values, aliases written out; this is no preset", mark
            )

    def refuse_tag(self, event: yaml.Event, own: str, path: KeyPath) -> bool:
        tag = getattr(event, "tag", None)
        if tag in (None, own):
            return False
        short = shown_key(tag.replace("tag:yaml.org,2002:", "!!"))
        self.problems.append(
            Problem(f"the tag {short} is not allowed; write plain values without tags", path)
        )
        return True

    def mapping(self, path: KeyPath) -> dict[str, object]:
        result: dict[str, object] = {}
        merged: dict[str, object] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            mark = _mark(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlError("a key must be plain text, not a list, mapping or alias", mark)
            self.count(1, mark)
            key, below = event.value, (*path, event.value)
            if key == "<<" and event.implicit[0]:
                self.problems.append(
                    Problem("merge keys are not supported; write the keys out", below, mark)
                )
                # Merged all the same, so that its keys are not reported as missing.
                value = self.read(next(self.events), below)
                merged |= value if isinstance(value, dict) else {}
            elif key in result:
                line = self.keys[below][0]
                self.problems.append(
                    Problem(f"this key stands twice, first in line {line}", below, mark)
                )
                # The first value keeps its marks; those of this one are lost.
                kept, self.marks, self.keys = (self.marks, self.keys), {}, {}
                self.read(next(self.events), below)
                self.marks, self.keys = kept
            else:
                self.keys[below] = mark
                result[key] = self.read(next(self.events), below)
        return merged | result

    def sequence(self, path: KeyPath) -> list[object]:
        result: list[object] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            result.append(self.read(event, (*path, len(result))))
        return result

    def scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> object:
        text: str = event.value
        if event.tag in ("!", "tag:yaml.org,2002:str"):
            return text
        # Any other explicit tag is refused; the text then stands for the value.
        if self.refuse_tag(event, "", path) or not event.implicit[0]:
            return text
        if _INT.fullmatch(text) or _OCTAL_OR_HEX.fullmatch(text) or _FLOAT.fullmatch(text):
            if len(text) > LONGEST_NUMBER:
                self.problems.append(Problem(f"a number of {len(text)} characters", path))
                return text
            return _number(text)
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return _TRUE.fullmatch(text) is not None
        return text


def _number(text: str) -> int | float:
    if _INT.fullmatch(text):
        return int(text, 10)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    # Python writes .inf and .nan without the dot.
    return float(text.replace(".", "") if text[-1] in "fFnN" else text)
