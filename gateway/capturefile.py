"""A capture as a file: JSON lines, a header, events in order, an end with the digest of all before it.

docs/captures.md is its description. Owns the bounds of what is read, for a capture may come from a stranger:
it refuses another version, a wrong digest, times that run back and lines that are no events.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from gateway.errors import ConfigError
from gateway.model import ClockTrust, Quality
from gateway.tape import Event

TYPE, VERSION = "capture", 1
SIZE_MAX = 256 * 2**20  # bytes of a file that is read
LINE_MAX = 2**20  # the header holds a profile and its DBC; an event has a few hundred bytes
HEADER: Mapping[str, type] = {
    "software": str, "site": str, "device": dict, "profile": dict, "profile_digest": str, "masked": bool,
    "began": dict, "by": str, "profiles": dict,
}  # fmt: skip
DEVICE: Mapping[str, type] = {"name": str, "profile": str, "link": str, "unit": int, "poll_ms": int}

Points = Mapping[str, tuple[int, Quality]]


@dataclass(frozen=True, slots=True)
class Capture:
    """What a file holds. Times of events are ms since it began; `digest` is of the lines before the end."""

    header: Mapping[str, Any]
    events: tuple[Event, ...]
    why: str  # it ended
    digest: str
    place: str = field(default="", compare=False)

    @property
    def device(self) -> Mapping[str, Any]:
        device: Mapping[str, Any] = self.header["device"]
        return device


class Writer:
    """Writes a capture line by line. `size` is how many bytes it has by now."""

    def __init__(self, file: IO[bytes], header: Mapping[str, Any]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = self.events = self.samples = 0
        self._line({"type": TYPE, "version": VERSION, **header})

    def event(self, event: Event) -> None:
        self.events += 1
        self.samples += "sample" in event
        self._line(event)

    def end(self, ms: int, why: str) -> str:
        """The last line; returns the digest."""
        said = {"type": "end", "ms": ms, "why": why, "events": self.events, "samples": self.samples}
        self._file.write(_json({**said, "sha256": self._digest.hexdigest()}))
        return self._digest.hexdigest()

    def _line(self, value: Mapping[str, Any]) -> None:
        line = _json(value)
        self._digest.update(line)
        self._file.write(line)
        self.size += len(line)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str).encode() + b"\n"


def read(path: Path) -> Capture:
    """The whole file, checked. ConfigError, one line, when it is no capture or not as it was written."""
    try:
        if path.stat().st_size > SIZE_MAX:
            raise ConfigError(f"{path}: larger than {SIZE_MAX // 2**20} MiB: no capture")
        with path.open("rb") as file:
            return _read(str(path), file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _read(name: str, file: IO[bytes]) -> Capture:
    digest, header = hashlib.sha256(), dict[str, Any]()
    events: list[Event] = []
    for number, line in _lines(name, file):
        place = f"{name}:{number}"
        said = _parse(place, line)
        if number == 1:
            header = _header(place, said)
        elif said.get("type") == "end":
            if said.get("sha256") != digest.hexdigest():
                raise ConfigError(f"{place}: the digest is not that of the lines before it: it was changed")
            if next(_lines(name, file), None):
                raise ConfigError(f"{place}: more lines after the end")
            return Capture(header, tuple(events), str(said.get("why", "")), digest.hexdigest(), name)
        else:
            events.append(_event(place, said, events[-1]["ms"] if events else None))
        digest.update(line)
    raise ConfigError(f"{name}: has no end: the capture was cut off")


def _lines(name: str, file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(LINE_MAX + 1):
        number += 1
        if len(line) > LINE_MAX:
            raise ConfigError(f"{name}:{number}: a line of over {LINE_MAX} bytes is none of a capture")
        yield number, line


def _parse(place: str, line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ConfigError(f"{place}: not a JSON object; make the file with: gridseal capture SITE DEVICE")
    return said


def _header(place: str, said: dict[str, Any]) -> dict[str, Any]:
    if said.get("type") != TYPE:
        raise ConfigError(f"{place}: not a capture; make one with: gridseal capture SITE DEVICE")
    if said.get("version") != VERSION:
        raise ConfigError(f"{place}: a capture of version {said.get('version')!r}; this reads {VERSION}")
    for where, wanted in ((said, HEADER), (said.get("device"), DEVICE)):
        for key, kind in wanted.items():
            if not isinstance(where, dict) or type(where.get(key)) is not kind:
                raise ConfigError(f"{place}: its header lacks {key!r}, or it is not a {kind.__name__}")
    return said


def _event(place: str, said: Event, before_ms: int | None) -> Event:
    ms = said.get("ms")
    if type(ms) is not int or abs(ms) > 2**53:
        raise ConfigError(f"{place}: an event needs the ms at which it was")
    if before_ms is not None and ms < before_ms - BACK_MS:
        raise ConfigError(f"{place}: {ms} ms is before the event ahead of it")
    if "now" in said and (type(said["now"]) is not int or said.get("clock") not in ClockTrust.__members__):
        raise ConfigError(f"{place}: `now` is a time in ms, with the trust in its clock")
    if "sample" in said:
        sample_of(place, said)
    return said


BACK_MS = 60_000  # a frame is told when it is taken, with the time at which it came


def sample_of(place: str, event: Event) -> tuple[int, Points]:
    """When a recorded sample was taken, and its points. ConfigError when that is not what stands there."""
    at_ms, points = event["sample"], event.get("points")
    if type(at_ms) is not int or not isinstance(points, dict):
        raise ConfigError(f"{place}: a sample needs its time and points")
    found: dict[str, tuple[int, Quality]] = {}
    for name, said in points.items():
        match said:
            case [int(value), str(quality)] if quality in Quality.__members__ and type(value) is int:
                found[name] = value, Quality[quality]
            case _:
                raise ConfigError(f"{place}: {name} is not a value and its quality")
    return at_ms, found
