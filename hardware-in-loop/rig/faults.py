"""Faults on demand, as a table: what a device or a wire does wrong, to which requests, how often.

Owns the choice and the bytes. `serve` turns a request into the pieces that go out, so servers and the
in-process link misbehave alike. It refuses unknown kinds and options in one line.

Kinds. The request is not carried out: silence, reset (connection closed), busy (exception 6), refuse
(exception 2). It is carried out, but the answer is wrong: mute (no answer), late (after `ms`),
wrong_function, short (fewer registers, frame consistent), truncated (cut on the wire), wrong_echo (writes),
wrong_unit, wrong_tag (TCP transaction), bad_crc (RTU), noise_before, noise_after, stuck (measurements stand
still while the fault is set).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from rig.bank import BUSY, ILLEGAL_ADDRESS, Bank
from rig.modbus import (
    TABLES,
    WRITE_COIL,
    WRITE_MANY,
    WRITE_ONE,
    Request,
    RtuFraming,
    TcpFraming,
    answer,
    refusal,
)
from rig.relay_board import RelayBoard

NOT_CARRIED_OUT = frozenset({"silence", "reset", "busy", "refuse"})
READS_ONLY, WRITES_ONLY = frozenset({"short"}), frozenset({"wrong_echo"})
TCP_ONLY, RTU_ONLY = frozenset({"wrong_tag"}), frozenset({"bad_crc"})
KINDS = NOT_CARRIED_OUT | {
    "mute",
    "late",
    "wrong_function",
    "short",
    "truncated",
    "wrong_echo",
    "wrong_unit",
    "wrong_tag",
    "bad_crc",
    "noise_before",
    "noise_after",
    "stuck",
}
FAULTS_MAX = 32  # set at one time; a scenario needs a handful
LATE_MAX_MS = 60_000
NOISE_BYTES = 3
OTHER_FUNCTION = {1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 16, 16: 6}

Framing = TcpFraming | RtuFraming


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and the requests it meets; None matches all. `times` None: until cleared."""

    kind: str
    unit: int | None = None
    function: int | None = None
    address: int | None = None  # of the request's first register
    skip: int = 0  # matching requests let through first
    times: int | None = None
    ms: int = 0

    def meets(self, request: Request) -> bool:
        """Whether this request is one of them."""
        if self.kind in READS_ONLY and request.function not in TABLES:
            return False
        if self.kind in WRITES_ONLY and request.function not in (WRITE_COIL, WRITE_ONE, WRITE_MANY):
            return False
        asked = (
            (self.unit, request.unit),
            (self.function, request.function),
            (self.address, request.address),
        )
        return all(want is None or want == have for want, have in asked)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to send after a delay, or (None) the end of the connection."""

    data: bytes | None
    delay_ms: int = 0


def fault_from(options: Mapping[str, Any]) -> Fault:
    """A Fault from JSON options. ValueError names what is wrong."""
    known = {f.name for f in fields(Fault)}
    if unknown := sorted(set(options) - known):
        raise ValueError(f"unknown fault option {unknown[0]!r}: use {', '.join(sorted(known))}")
    fault = Fault(**options)
    if fault.kind not in KINDS:
        raise ValueError(f"unknown fault {fault.kind!r}: use {', '.join(sorted(KINDS))}")
    for name in known - {"kind"}:
        value = getattr(fault, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise ValueError(f"fault option {name} is a number, 0 or more")
    if fault.ms > LATE_MAX_MS:
        raise ValueError(f"a late answer comes within {LATE_MAX_MS} ms")
    return fault


class Faults:
    """The faults that are set; may be changed at any time."""

    def __init__(self) -> None:
        self._set: list[Fault] = []
        self.hits: Counter[str] = Counter()

    def add(self, fault: Fault) -> None:
        if len(self._set) >= FAULTS_MAX:
            raise ValueError(f"at most {FAULTS_MAX} faults at one time: clear some")
        self._set.append(fault)

    def clear(self, kind: str | None = None) -> None:
        """End one kind, or all."""
        self._set = [f for f in self._set if kind is not None and f.kind != kind]

    def is_set(self, kind: str) -> bool:
        return any(f.kind == kind for f in self._set)

    def take(self, request: Request, framing: Framing) -> Fault | None:
        """The first fault that meets this request, counted; None for a healthy answer."""
        elsewhere = RTU_ONLY if isinstance(framing, TcpFraming) else TCP_ONLY
        for place, fault in enumerate(self._set):
            if fault.kind == "stuck" or fault.kind in elsewhere or not fault.meets(request):
                continue
            if fault.skip:
                self._set[place] = replace(fault, skip=fault.skip - 1)
                continue
            if fault.times is not None:
                self._set[place : place + 1] = (
                    [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                )
            self.hits[fault.kind] += 1
            return fault
        return None


def serve(
    bank: Bank | RelayBoard,
    faults: Faults,
    framing: Framing,
    request: Request,
    now_ms: int,
    random: Random,
) -> list[Piece]:
    """What goes out for this request, carried out at `now_ms`. `random` makes noise and nothing else."""
    bank.freeze(faults.is_set("stuck"))
    fault = faults.take(request, framing)
    if fault is None:
        return [Piece(framing.frame(request, answer(bank, request, now_ms)))]
    if fault.kind in NOT_CARRIED_OUT:
        return _instead(fault, framing, request)
    return _spoiled(fault, framing, request, answer(bank, request, now_ms), random)


def _instead(fault: Fault, framing: Framing, request: Request) -> list[Piece]:
    if fault.kind == "silence":
        return []
    if fault.kind == "reset":
        return [Piece(None)]
    code = BUSY if fault.kind == "busy" else ILLEGAL_ADDRESS
    return [Piece(framing.frame(request, refusal(request.function, code)), fault.ms)]


def _spoiled(fault: Fault, framing: Framing, request: Request, pdu: bytes, random: Random) -> list[Piece]:
    if fault.kind == "mute":
        return []
    addressed = request
    if fault.kind == "wrong_function":
        pdu = bytes((OTHER_FUNCTION.get(pdu[0], pdu[0] ^ 1),)) + pdu[1:]
    elif fault.kind == "short" and pdu[0] in TABLES:
        pdu = bytes((pdu[0], pdu[1] - 2)) + pdu[2:-2]
    elif fault.kind == "wrong_echo":
        pdu = pdu[:-1] + bytes((pdu[-1] ^ 1,))
    elif fault.kind == "wrong_unit":
        addressed = replace(request, unit=request.unit ^ 1)
    elif fault.kind == "wrong_tag":
        addressed = replace(request, tag=request.tag ^ 1)
    data = framing.frame(addressed, pdu)
    noise = random.randbytes(NOISE_BYTES)
    return [Piece(_on_the_wire(fault.kind, data, noise), fault.ms)]


def _on_the_wire(kind: str, data: bytes, noise: bytes) -> bytes:
    match kind:
        case "truncated":
            return data[:-3]
        case "bad_crc":
            return data[:-1] + bytes((data[-1] ^ 0x55,))
        case "noise_before":
            return noise + data
        case "noise_after":
            return data + noise
        case _:
            return data
