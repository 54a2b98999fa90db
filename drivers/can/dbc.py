"""A DBC file: what a device's maker writes of its frames, read by cantools into plain facts.

Owns the messages and signals of a file, with the line that each stands in. It refuses what is no DBC, what
names a message or an id twice, and what would only be read with gigabytes. A signal that frames of 8 bytes
and whole numbers cannot carry is kept with the reason (`trouble`), which is said when somebody uses it: a
maker's file holds much that nobody asks for. Imported where profiles are read, never by what runs a site.
"""

import logging
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.can.codec import BITS_MAX, Pages, Place, place
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from cantools.database.can import Message as Parsed
    from cantools.database.can.signal import Signal as ParsedSignal

BYTES_MAX = 8  # of a classic frame
SPAN_MAX = 4096  # bytes of a message
PAGES_MAX = 16_384  # of all multiplexed signals: cantools makes lists of them
_SIGNAL = re.compile(r"\s*SG_\s+(\w+)\s*(m\d+M?)?")
_MESSAGE = re.compile(r"\s*BO_\s+\d+\s+(\w+)\s*:\s*(\d{1,9})")
_MULTIPLEXED = re.compile(r"SG_MUL_VAL_\s+\d+\s+\w+\s+\w+\s+([\d\s,-]*);")
_RANGE = re.compile(r"(\d{1,9})\s*-\s*(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Signal:
    """A number in a message, in the file's own terms: raw * factor + offset is in `unit`."""

    name: str
    message: str
    line: int
    place: Place | None  # None: `trouble` says why
    factor: Fraction
    offset: Fraction
    unit: str
    pages: Pages
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A frame. `cycle_ms` is how often it is sent, 0 when the file does not say."""

    name: str
    line: int
    id: int
    extended: bool
    length: int
    cycle_ms: int
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class Dbc:
    """A file that was read. `file` is its name, for messages."""

    file: str
    messages: tuple[Message, ...]


def read(text: str, file: str) -> Dbc:
    """The file's messages. ValueError, one line with the place, when it is not usable; ConfigError when the
    library that reads it is not there."""
    try:
        from cantools.database.can import Database
        from cantools.errors import Error
        from textparser import Error as SyntaxProblem
    except ModuleNotFoundError:
        raise ConfigError('CAN profiles need the library cantools: pip install "gridseal[can]"') from None
    lines = _lines(text, file)
    logging.getLogger("cantools").setLevel(logging.ERROR)  # what it warns of is refused below
    database = Database(strict=False)
    try:
        database.add_dbc_string(text)
    except SyntaxProblem as error:
        raise ValueError(_syntax(error, file)) from None
    except (
        Error,
        ArithmeticError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        # It checks little before it uses what it parsed.
        raise ValueError(f"{file} is not usable: {str(error).splitlines()[0][:120]}") from None
    messages = tuple(_message(m, lines) for m in database.messages)
    seen: dict[tuple[int, bool], str] = {}
    for message in messages:
        other = seen.setdefault((message.id, message.extended), message.name)
        if other != message.name:
            raise ValueError(f"{file}:{message.line}: {message.name} has the id of {other}")
    return Dbc(file, messages)


def _syntax(error: Exception, file: str) -> str:
    line, column = getattr(error, "line", 0), getattr(error, "column", 0)
    if line == 1 and column == 1:
        return f"{file} is not a DBC file"
    return f"{file}:{line}:{column}: not what may stand here in a DBC file"


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where things stand, which cantools does not keep."""

    messages: dict[str, int]
    signals: dict[tuple[str, str], int]
    paged: set[tuple[str, str]]  # marked as one of several meanings of the same bits


def _lines(text: str, file: str) -> _Lines:
    found = _Lines({}, {}, set())
    message = ""
    for number, line in enumerate(text.split("\n"), 1):
        if said := _MESSAGE.match(line):
            message = said[1]
            if message in found.messages:
                raise ValueError(f"{file}:{number}: a second message {message}")
            if int(said[2]) > SPAN_MAX:
                raise ValueError(f"{file}:{number}: {message} has {said[2]} bytes")
            found.messages[message] = number
        elif said := _SIGNAL.match(line):
            key = message, said[1]
            if key in found.signals:
                raise ValueError(f"{file}:{number}: a second {said[1]} in {message}")
            found.signals[key] = number
            if said[2]:
                found.paged.add(key)
    pages = 0
    for said in _MULTIPLEXED.finditer(text):
        pages += sum(max(0, int(most) - int(least) + 1) for least, most in _RANGE.findall(said[1]))
        if pages > PAGES_MAX:
            number = text.count("\n", 0, said.start()) + 1
            raise ValueError(f"{file}:{number}: over {PAGES_MAX} pages of multiplexed signals")
    return found


def _message(parsed: "Parsed", lines: _Lines) -> Message:
    by_name = {signal.name: signal for signal in parsed.signals}
    cycle_ms = parsed.cycle_time
    return Message(
        name=parsed.name,
        line=lines.messages.get(parsed.name, 1),
        id=parsed.frame_id,
        extended=parsed.is_extended_frame,
        length=parsed.length,
        cycle_ms=cycle_ms if isinstance(cycle_ms, int) and cycle_ms > 0 else 0,
        signals=tuple(_signal(s, parsed, by_name, lines) for s in parsed.signals),
    )


def _signal(
    parsed: "ParsedSignal", message: "Parsed", by_name: dict[str, "ParsedSignal"], lines: _Lines
) -> Signal:
    key = message.name, parsed.name
    factor, offset = _exact(parsed.scale), _exact(parsed.offset)
    trouble = _unfit(parsed, message)
    pages: Pages = ()
    if not trouble:
        pages, trouble = _pages(parsed, message, by_name, key in lines.paged)
    if not trouble and (not factor or offset is None):
        trouble = f"has the factor {parsed.scale} and the offset {parsed.offset}"
    return Signal(
        name=parsed.name,
        message=message.name,
        line=lines.signals.get(key, 1),
        place=None if trouble else _place(parsed),
        factor=factor or Fraction(1),
        offset=offset or Fraction(0),
        unit=(parsed.unit or "").strip(),
        pages=pages,
        trouble=trouble,
    )


def _exact(number: float) -> Fraction | None:
    """As it is written: 0.1 is a tenth. None: no number at all."""
    try:
        return Fraction(repr(number))
    except ValueError:
        return None


def _place(parsed: "ParsedSignal") -> Place:
    big = parsed.byte_order == "big_endian"
    return place(parsed.start, parsed.length, big=big, signed=parsed.is_signed)


def _unfit(parsed: "ParsedSignal", message: "Parsed") -> str:
    """Why no frame can bring it as a whole number; nothing when it can."""
    if parsed.is_float:
        return "is a floating-point number"
    if parsed.length > BITS_MAX:
        return f"has {parsed.length} bits, more than {BITS_MAX}"
    if message.length > BYTES_MAX:
        return f"is in a message of {message.length} bytes, more than the {BYTES_MAX} of a CAN frame"
    if parsed.start < 0 or _place(parsed).end > message.length:
        return f"reaches beyond the {message.length} bytes of {message.name}"
    return ""


def _pages(
    parsed: "ParsedSignal", message: "Parsed", by_name: dict[str, "ParsedSignal"], marked: bool
) -> tuple[Pages, str]:
    """When the signal is in the frame: each selector with the values at which it is; and what is wrong."""
    pages: list[tuple[Place, frozenset[int]]] = []
    names = {parsed.name}
    signal = parsed
    while signal.multiplexer_signal is not None:
        selector = by_name.get(signal.multiplexer_signal)
        if selector is None or selector.name in names or not signal.multiplexer_ids:
            return (), "is multiplexed by what is no selector of its message"
        if _unfit(selector, message):
            return (), f"is multiplexed by {selector.name}, which {_unfit(selector, message)}"
        pages.append((_place(selector), frozenset(signal.multiplexer_ids)))
        names.add(selector.name)
        signal = selector
    if marked and not pages:
        return (), "is marked as multiplexed, but the file does not say by what"
    return tuple(pages), ""
