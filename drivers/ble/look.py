"""What a Bluetooth device has to talk to, and what it answers to one frame: for people, by `gridseal raw`.

One connection, one frame, answers for a bounded time. It refuses to know what the frame does: that is the
affair of whoever writes it.
"""

import asyncio
from collections.abc import Sequence

from pydantic import ValidationError

from drivers.ble.link import BleLink
from drivers.ble.profile import BASE_UUID, GattModel
from drivers.ble.table import Gatt
from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.recognising import Shown

FRAME_MAX, ANSWERS_MAX, SECONDS_MAX = 512, 1000, 600.0


async def look(link: BleLink, words: Sequence[str], seconds: float, clock: Clock) -> Shown:
    """All characteristics; with words, what comes after a frame was written."""
    try:
        if words:
            gatt, frame = asked(words)
            await link.open(gatt)
            return await _answers(link, frame, min(seconds, SECONDS_MAX), clock)
        found = await link.characteristics()
        rows = [(_short(c.service_uuid), _short(c.uuid), ", ".join(sorted(c.properties))) for c in found]
        return Shown(("service", "characteristic", "can"), rows)
    finally:
        await link.close()


def asked(words: Sequence[str]) -> tuple[Gatt, bytes]:
    """Where to talk, and what to say. ConfigError for other words."""
    try:
        service, notify, write, *rest = (word.lower() for word in words)
        gatt, frame = (
            GattModel(service=service, notify=notify, write=write).plain(),
            bytes.fromhex("".join(rest)),
        )
    except (ValueError, ValidationError):
        raise ConfigError(
            "write SERVICE NOTIFY WRITE FRAME, like ff00 ff01 ff02 dda50300fffd77: UUIDs of four digits or "
            "whole, and the bytes in hexadecimal"
        ) from None
    if not 0 < len(frame) <= FRAME_MAX:
        raise ConfigError(f"a frame has 1 to {FRAME_MAX} bytes")
    return gatt, frame


async def _answers(link: BleLink, frame: bytes, seconds: float, clock: Clock) -> Shown:
    began_ms, rows = clock.mono_ms(), list[tuple[str, str, str]]()
    await link.send(frame)
    try:
        async with asyncio.timeout(seconds):
            while len(rows) < ANSWERS_MAX:
                data, at_ms = await link.receive()
                text = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in data)
                rows.append((str(at_ms - began_ms), data.hex(" "), text))
    except TimeoutError:
        pass  # that is how long was asked for
    return Shown(("ms", "bytes", "text"), rows, "" if rows else f"nothing came within {seconds:g} s")


def _short(uuid: str) -> str:
    """Four digits where they are all that is its own."""
    return uuid[4:8] if BASE_UUID.format(uuid[4:8]) == uuid else uuid
