"""The grid connection by 123: registers as pysunspec2 reads them, its timer, and devices that cannot."""

import struct
from typing import Any

import pytest

from drivers.sunspec.binding import Present
from drivers.sunspec.commanded import Commanded
from drivers.sunspec.driver import SunSpec
from drivers.sunspec.island import Conn123
from drivers.sunspec.models import layout
from drivers.sunspec.scan import Found
from gateway.beside_model import IslandBack, IslandSpec
from gateway.driver import IslandActuator
from gateway.errors import LinkError
from tests.drivers.sunspec_image import (
    COMMON,
    INVERTER_103,
    NAMEPLATE_120,
    STORAGE_124,
    Image,
    StepClock,
    device,
    model_bytes,
)
from tests.drivers.test_sunspec_binding import profile
from tests.drivers.test_sunspec_setpoint import changed, peer, written

CONN = {"Conn_WinTms": 7, "Conn_RvrtTms": 0, "Conn": 1, "WMaxLimPct": 100, "WMaxLim_Ena": 0}
CONTROL = model_bytes(123, CONN)
STATE_701 = model_bytes(701, {"ConnSt": 1})


def way(data: bytes = CONTROL) -> tuple[Conn123, dict[str, Any]]:
    model, length = struct.unpack(">HH", data[:4])
    known = layout(model, length)
    assert known
    made = Conn123(Present(Found(model, 40002, length), known))
    return made, dict(made.parse(data[: 2 * made.registers]))


@pytest.mark.parametrize(("timeout_s", "timer_s"), [(60, 60), (65_535, 65_534)])
def test_timer_and_connection_are_written_together_and_nothing_beside_them(
    timeout_s: int, timer_s: int
) -> None:
    made, _ = way()
    for writes, conn, timer in (
        (made.arm(timeout_s), 1, timer_s),
        (made.part(timeout_s), 0, timer_s),
        (made.rejoin(), 1, 0),
    ):
        assert len(writes) == 1
        data = written(CONTROL, writes)
        theirs = peer(data)
        assert (theirs.Conn.value, theirs.Conn_RvrtTms.value) == (conn, timer)
        assert (theirs.Conn_WinTms.value, theirs.WMaxLimPct.value, theirs.WMaxLim_Ena.value) == (7, 100, 0)
        assert made.held(made.parse(data[: 2 * made.registers])) == IslandBack(conn == 0, timer)


@pytest.mark.parametrize("gone", [{"Conn_RvrtTms": 0xFFFF}, {"Conn": 0xFFFF}, {"Conn": 2}])
def test_without_a_timer_or_a_known_state_it_is_not_used(gone: dict[str, int]) -> None:
    made, raw = way(changed(CONTROL, **gone))
    assert not made.usable(raw)


def commanded(*models: bytes, islanding: str = "123") -> tuple[Commanded, Image]:
    image = Image.of(COMMON, INVERTER_103, NAMEPLATE_120, STORAGE_124, *models)
    wanted = profile(setpoint="124", islanding=islanding)
    at = device(wanted)
    return Commanded(SunSpec(at, wanted, image, StepClock()), wanted, at), image


async def test_a_device_that_is_declared_and_has_what_it_takes_is_parted_and_rejoined() -> None:
    made, image = commanded(CONTROL, STATE_701)
    assert isinstance(made, IslandActuator) and made.island is None
    await made.connect()
    assert made.island == IslandSpec(60)
    base = image.find(123)
    before = dict(image.registers)
    assert await made.arm_island(45) == 45
    assert await made.read_island() == IslandBack(False, 45)
    await made.part()
    assert await made.read_island() == IslandBack(True, 45)
    await made.rejoin()
    assert await made.read_island() == IslandBack(False, 0)
    assert {at for at, value in image.registers.items() if before[at] != value} <= {base + 3, base + 4}
    assert image.registers == before


@pytest.mark.parametrize(
    ("models", "islanding"),
    [
        ((CONTROL, STATE_701), "none"),
        ((CONTROL,), "123"),  # nothing says whether it is connected
        ((STATE_701,), "123"),
        ((changed(CONTROL, Conn_RvrtTms=0xFFFF), STATE_701), "123"),
    ],
)
async def test_others_cannot(models: tuple[bytes, ...], islanding: str) -> None:
    made, _ = commanded(*models, islanding=islanding)
    await made.connect()
    assert made.island is None
    with pytest.raises(LinkError, match="has not been reached"):
        await made.part()


async def test_a_model_that_states_it_no_longer_is_an_error() -> None:
    made, image = commanded(CONTROL, STATE_701)
    await made.connect()
    image.registers[image.find(123) + 4] = 0xFFFF
    with pytest.raises(LinkError, match="model 123 no longer states"):
        await made.read_island()
