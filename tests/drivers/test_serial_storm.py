"""Whatever a shared pair carries, a poll gives what was recorded or a LinkError: never another value.

The link is played without time: what would have arrived before the deadline is handed over in random pieces,
then the time is up.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bms.values import Allowance
from drivers.serial.driver import SerialDriver
from drivers.serial.link import NoAnswer
from drivers.serial.table import SerialTable
from gateway.clock import SystemClock
from gateway.errors import LinkError
from gateway.model import Quality
from gateway.site import Device
from tests.drivers.bms_frames import cases

ON_A_WIRE = [
    case
    for case in cases()
    if not case.family.name.endswith("_ble")
    and {r.name for r in case.family.requests(case.replies[0].address) if not r.optional}
    <= {reply.request.name for reply in case.replies}
]
NOISE = st.binary(max_size=40)


@dataclass
class Storm:
    """A SerialLink whose wire says what `said` makes of a request."""

    said: object
    url: str = "serial:///storm"

    def run_at(self, _bauds):
        pass

    async def ask(self, data, take, *, gap_ms, timeout_s, reply_max):
        for chunk in (*self.said(data), b""):
            if (taken := take(chunk)) is not None:
                return taken
        raise NoAnswer(f"{self.url}: no answer")


def on(case, storm):
    address = case.replies[0].address
    device = Device("bms", "test", "serial", "battery", storm.url, None, unit=address)
    allowance = None if case.family.tells_limits else Allowance(1_000, 2_000)
    table = SerialTable("test", "test", case.family.name, (9600,), 0, allowance)
    return SerialDriver(device, table, storm, SystemClock())


def pieces(data, stream):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def segment(data, case, answer):
    """Something that a wire may carry."""
    kind = data.draw(st.sampled_from(["answer", "noise", "cut", "damaged", "other", "asked"]))
    reply = data.draw(st.sampled_from(case.replies)).raw
    if kind == "answer":
        return answer
    if kind == "noise":
        return data.draw(NOISE)
    if kind == "cut":
        return reply[: data.draw(st.integers(0, len(reply) - 1))]
    if kind == "damaged":
        at = data.draw(st.integers(0, len(reply) - 1))
        return reply[:at] + bytes([reply[at] ^ data.draw(st.integers(1, 255))]) + reply[at + 1 :]
    other = data.draw(st.sampled_from([r for r in case.replies if r.raw != answer] or case.replies))
    return other.raw if kind == "other" else other.request.data


@pytest.mark.parametrize("case", ON_A_WIRE, ids=lambda case: f"{case.family.name}: {case.name}")
@settings(max_examples=60)
@given(st.data())
async def test_a_poll_is_what_was_recorded_or_none(case, data):
    recorded = {reply.request.data: reply.raw for reply in case.replies}
    calm = Storm(lambda asked: [recorded[asked]] if asked in recorded else [])
    bms = on(case, calm)
    await bms.connect()
    expected = replace(await bms.read(), stamp=None)

    def storm(asked):
        stream = b"".join(segment(data, case, recorded[asked]) for _ in range(data.draw(st.integers(0, 4))))
        return pieces(data, stream)

    calm.said = storm
    for _ in range(2):
        with suppress(LinkError):
            assert replace(await bms.read(), stamp=None) == expected


def test_every_family_on_a_wire_is_in_it():
    assert {case.family.name for case in ON_A_WIRE} == {
        "jbd",
        "jk",
        "jk_pb",
        "daly",
        "daly_hkms",
        "seplos_v2",
        "seplos_v3",
        "pylontech",
    }


DALY = next(case for case in ON_A_WIRE if case.name == "14 cells, at rest")


async def test_noise_that_passes_a_sum_of_one_byte_is_asked_about_again():
    """As often as no wire has it: a third of all frames are noise with the right sum, which one of 256 noisy
    frames has. What is told is what was recorded, or less far from it than a board moves in one poll."""
    chance, recorded = Random(5), {reply.request.data: reply.raw for reply in DALY.replies}

    def said(asked):
        body = recorded[asked][:-1]
        if chance.random() < 1 / 3:
            body = body[:4] + chance.randbytes(8)
        return [body + bytes([sum(body) & 0xFF])]

    calm = Storm(lambda asked: [recorded[asked]])
    bms = on(DALY, calm)
    await bms.connect()
    expected = await bms.read()
    calm.said = said
    told = refused = 0
    for _ in range(1_000):
        try:
            sample = await bms.read()
        except LinkError:
            refused += 1
            continue
        told += 1
        for point, value, quality, right in zip(
            sample.points, sample.values, sample.qualities, expected.values, strict=True
        ):
            allowed = DALY.family.steady.get(point.name)
            if allowed is not None and quality == Quality.GOOD:
                assert abs(value - right) <= 2 * allowed, point.name
    assert told > 100 and refused > 100
