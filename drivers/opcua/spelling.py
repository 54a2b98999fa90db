"""What a server said of a node, as JSON: type, value, status, source time. Pure.

Every value that drivers.opcua.codec takes comes back as it was; NaN and the infinities, which JSON does not
have, are words. It refuses to carry what no reading is made of: an array, a structure, a blob keep their type
and lose their value, and a text is cut.
"""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

from drivers.opcua.codec import TYPES, Heard
from gateway.errors import FrameError

Said = list[Any]  # type, value, status, source time in ms or None

TEXT_MAX = 64  # characters, of which a driver makes nothing longer
_WORDS: Mapping[str, float] = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def said_of(heard: Heard) -> Said:
    return [heard.type, _plain(heard), heard.status, heard.source_ms]


def _plain(heard: Heard) -> bool | int | float | str | None:
    value = heard.value
    if isinstance(value, float):
        return value if isfinite(value) else next(w for w, f in _WORDS.items() if repr(f) == repr(value))
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, datetime) and heard.type == "DateTime":
        return value.isoformat()
    return value[:TEXT_MAX] if isinstance(value, str) and heard.type == "String" else None


def heard_of(said: object) -> Heard:
    """FrameError when that is no value of a capture."""
    match said:
        case [str(kind), value, int(status), None | int() as source_ms] if _sound(value, status, source_ms):
            return Heard(kind, _native(kind, value), status, source_ms)
    raise FrameError("the capture holds what is no value of a node")


def _sound(value: object, status: int, source_ms: object) -> bool:
    plain = value is None or isinstance(value, bool | int | float | str)
    return plain and not isinstance(source_ms, bool) and type(status) is int and 0 <= status < 2**32


def _native(kind: str, value: Any) -> object:
    if kind == "DateTime" and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise FrameError(f"{value[:TEXT_MAX]!r} is no time") from None
    if kind in TYPES and TYPES[kind] is None and isinstance(value, str):
        return _WORDS.get(value)
    return value
