"""Serial requests on a tape: told as they pass, and played to a driver that asks the same again.

A request is an event {ask, heard}, the bytes that were sent and all that came until they were answered, in
hex; where the answer never came, {ask, heard, failed}. Noise and neighbours are kept: what finds the answer
among them is the driver's own work, and is done again. It refuses to make up an answer: what was not asked
while it was recorded is a LinkError.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from drivers.bms.families import FAMILIES
from drivers.bms.family import NO_SECRETS
from drivers.bms.masking import Masker
from drivers.serial.link import NoAnswer, Wire
from drivers.serial.table import SerialTable
from gateway.errors import ConfigError, LinkError
from gateway.tape import Event, Tap, Tape

T = TypeVar("T")


class TappedLink:
    """A Wire around another, which tells what passes."""

    def __init__(self, link: Wire, tap: Tap) -> None:
        self.url = link.url
        self._link, self._tap = link, tap

    def run_at(self, bauds: Sequence[int]) -> None:
        self._link.run_at(bauds)

    async def ask(
        self, data: bytes, take: Callable[[bytes], T | None], *, gap_ms: int, timeout_s: float, reply_max: int
    ) -> T:
        heard = bytearray()

        def listen(chunk: bytes) -> T | None:
            heard.extend(chunk)
            return take(chunk)

        try:
            taken = await self._link.ask(
                data, listen, gap_ms=gap_ms, timeout_s=timeout_s, reply_max=reply_max
            )
        except LinkError as error:
            if self._tap.listening:
                self._tap.tell(ask=data.hex(), heard=heard.hex(), failed=str(error))
            raise
        if self._tap.listening:
            self._tap.tell(ask=data.hex(), heard=heard.hex())
        return taken

    async def close(self) -> None:
        await self._link.close()


class TapeLink:
    """A Wire that answers from a tape."""

    url = "replay://serial"

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def run_at(self, _bauds: Sequence[int]) -> None:
        """As fast as it plays."""

    async def ask(
        self, data: bytes, take: Callable[[bytes], T | None], *, gap_ms: int, timeout_s: float, reply_max: int
    ) -> T:
        wanted = data.hex()
        event = self._tape.find(lambda e: e.get("ask") == wanted)
        if event is None:
            raise LinkError(f"{wanted}: not asked while this was recorded")
        taken = take(_hex(event.get("heard")))
        if taken is None:
            taken = take(b"")
        if taken is None:
            raise NoAnswer(f"{wanted}: {event.get('failed', 'no answer in what was heard')}")
        return taken

    async def close(self) -> None:
        """Nothing hangs on it."""


def _hex(text: object) -> bytes:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return b""


def masker(table: SerialTable) -> Callable[[Event], Event]:
    """What was heard by what the family calls secret, neighbours' frames too. ConfigError where that is not
    known."""
    family = FAMILIES[table.family]
    if family.secrets is None:
        raise ConfigError(f"where {table.family} says its serial number is not known: no --mask")
    if family.secrets is NO_SECRETS:
        return lambda event: event
    stream = Masker(family, family.secrets)

    def mask(event: Event) -> Event:
        if "heard" not in event:
            return event
        stream.reset()
        return {**event, "heard": stream.mask(_hex(event["heard"])).hex()}

    return mask
