"""YAML with positions: a file as plain values plus the line and column of every key and item.

Reads the small YAML that people write in configuration: strings, integers (decimal or 0x), decimals, true
and false, null, lists and mappings. It refuses duplicate keys, tags and oversized files, and never turns
`no`, `on` or `1:30` into something else than the text they are.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, Tag, ValidationError

from gateway.errors import ConfigError, Problem

SIZE_MAX = 256 * 1024  # a site.yaml is 1 kB, the largest profile 30 kB
NODES_MAX = 20_000  # anchors can multiply; a configuration has hundreds

_INT = re.compile(r"[+-]?(?:\d+|0x[0-9a-fA-F]+)")
_DECIMAL = re.compile(r"[+-]?\d+\.\d+(?:[eE][+-]?\d+)?")
_DIGITS_MAX = 40  # no number here has more; an address without quotes has, and stays the text it is
_PLAIN = frozenset({"str", "int", "float", "bool", "null", "seq", "map", "timestamp", "merge", "value"})
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}

Path_ = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(slots=True)
class Document:
    """A parsed file: `data`, and for each path into it the position of the key (or list item)."""

    name: str
    data: Any
    marks: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    count: int = 0

    def problem(self, path: Path_, message: str, hint: str = "") -> Problem:
        """A Problem at the deepest part of `path` that is in the file (a union's tag is no part of it)."""
        here: Path_ = ()
        for step in path:
            if (*here, step) in self.marks:
                here = (*here, step)
        line, column = self.marks.get(here, (1, 1))
        return Problem(self.name, line, column, message, hint)


def read(path: Path) -> Document:
    """Parse `path`. ConfigError when it is missing, too large or not YAML."""
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > SIZE_MAX:
        raise ConfigError(f"{path}: is larger than {SIZE_MAX // 1024} KiB; is it a configuration file?")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = Problem(str(path), line, 1, "not UTF-8 text", "save the file as UTF-8")
        raise ConfigError("", (problem,)) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Document:
    """Parse YAML text; `name` is what messages call it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = Problem(name, line, column, f"not YAML: {error.problem}", _advice(error))
        raise ConfigError("", (problem,)) from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not YAML: nested too deeply") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not YAML: {str(error).splitlines()[0]}") from error
    document = Document(name, None)
    problems: list[Problem] = []
    if root is not None:
        document.data = _build(root, (), document, problems)
    if problems:
        raise ConfigError("", tuple(problems))
    return document


def _advice(error: yaml.MarkedYAMLError) -> str:
    """What a person usually did when the parser says this."""
    said, began = str(error.problem), error.context_mark
    if "\\t" in said:
        return "indent with spaces; YAML takes no tabs"
    if "mapping values" in said:
        return "is the indentation that of the lines around it? does the line above end in a colon?"
    if "expected ',' or" in said and began is not None:
        return f"the bracket opened in line {began.line + 1} is not closed, or a comma is missing"
    if "another document" in said:
        return "leave out the line ---"
    return ""


def _build(node: yaml.Node, path: Path_, document: Document, problems: list[Problem]) -> Any:
    document.count += 1
    if document.count > NODES_MAX or len(path) > 32:
        raise ConfigError(f"{document.name}: has too many or too deeply nested entries")
    place = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.marks.setdefault(path, place)
    if str(node.tag).removeprefix("tag:yaml.org,2002:") not in _PLAIN:
        problems.append(Problem(document.name, *place, f"the tag {node.tag} has no meaning here"))
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style in ("'", '"') else _scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), document, problems) for i, item in enumerate(node.value)]
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        position = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if key in result or not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem(document.name, *position, f"the key {key!r} is written twice"))
            continue
        document.marks[(*path, key)] = position
        result[key] = _build(value_node, (*path, key), document, problems)
    return result


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _DIGITS_MAX:
        return text
    if _INT.fullmatch(text):
        return int(text, 16 if "0x" in text else 10)
    return float(text) if _DECIMAL.fullmatch(text) else text


def validate(document: Document, model: type[Model]) -> Model:
    """The document as `model`; ConfigError with every problem at its line and column."""
    try:
        return model.model_validate(document.data if document.data is not None else {})
    except ValidationError as error:
        problems = [_problem(document, model, e) for e in error.errors(include_url=False)]
        ordered = sorted(set(problems), key=lambda p: (p.line, p.column, p.message))
        raise ConfigError("", tuple(ordered)) from None


def _problem(document: Document, model: type[BaseModel], error: Any) -> Problem:
    path: Path_ = tuple(error["loc"])
    leaf = str(path[-1]) if path else ""
    match error["type"]:
        case "extra_forbidden":
            valid = _keys(model, path[:-1])
            from difflib import get_close_matches  # only when there is a mistake

            near = get_close_matches(leaf, valid, 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"valid here: {', '.join(valid)}"
            if leaf[:1].isdigit():
                hint = "decimals are written with a point, not a comma"
            elif ":" in leaf:
                hint = "write a space after the colon"
            return document.problem(path, f"unknown key {leaf!r}", hint)
        case "missing":
            return document.problem(path[:-1], f"{leaf!r} is missing")
        case "value_error":
            return document.problem(path, str(error["ctx"]["error"]))
        case kind:
            unnamed = (
                not path or isinstance(path[-1], int) or leaf == "[key]"
            )  # pydantic's word for a key itself
            name = "" if unnamed else f"{leaf}: "
            return document.problem(path, name + _sentence(kind, error))


_WANTED = {
    "model_type": "lines of `key: value`",
    "dict_type": "lines of `key: value`",
    "list_type": "a list, like [a, b]",
    "tuple_type": "a list, like [a, b]",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "path_type": "the path of a file",
    "string_type": "text",
}


def _sentence(kind: str, error: Any) -> str:
    """What pydantic found, in the words of somebody who edits YAML and not Python."""
    found, context = error["input"], error.get("ctx", {})
    shown = repr(
        found if not isinstance(found, str) or len(found) <= _DIGITS_MAX else f"{found[:_DIGITS_MAX]}…"
    )
    if kind in _WANTED:
        if found is None:
            return f"there is nothing here, {_WANTED[kind]} must follow"
        if kind == "string_type" and isinstance(found, int | float):
            return f"{shown} is a number to YAML: put it in quotes"
        if isinstance(found, dict | list):
            shown = "a list" if isinstance(found, list) else "a mapping"
        return f"must be {_WANTED[kind]}, not {shown}"
    if kind == "too_short":
        return f"needs at least {context['min_length']}, has {context['actual_length']}"
    if kind == "string_pattern_mismatch":
        return f"{shown} has characters that may not be here (allowed: {context['pattern'].strip('^$')})"
    message = str(error["msg"]).removeprefix("Input should be ")
    return f"must be {message}, not {shown}" if message != error["msg"] else message[:1].lower() + message[1:]


def _keys(model: type[BaseModel], path: Path_) -> list[str]:
    """The keys that are valid at `path` below `model`, found by walking the annotations."""
    here: list[Any] = [model]
    for step in path:
        here = [inner for kind in here for inner in _step(kind, step)]
    models = [m for kind in here for m in _models(kind)]
    return [f.alias or name for m in models for name, f in m.model_fields.items()]


def _step(kind: Any, step: str | int) -> list[Any]:
    found: list[Any] = []
    for model in _models(kind):
        for name, info in model.model_fields.items():
            if step in (name, info.alias):
                found.append(info.annotation)
    others = [arg for arg in get_args(kind) if arg not in (str, int, type(None))]
    return found or _tagged(kind, step) or others


def _tagged(kind: Any, step: str | int) -> list[Any]:
    """The branch of a union that bears this tag."""
    if Tag(str(step)) in getattr(kind, "__metadata__", ()):
        return [kind]
    return [found for arg in get_args(kind) for found in _tagged(arg, step)]


def _models(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [m for arg in get_args(kind) for m in _models(arg)]
