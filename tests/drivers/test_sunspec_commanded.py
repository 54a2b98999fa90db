"""Setpoints on a device with reversion timers of its own: armed first, read back, refused where unsafe."""

from collections.abc import Sequence
from typing import Any

import pytest

from drivers.sunspec import commanded
from drivers.sunspec.commanded import Commanded, spec
from drivers.sunspec.driver import SunSpec
from drivers.sunspec.models import layout
from gateway.driver import Actuator
from gateway.errors import DeviceRefused, FrameError, LinkError
from gateway.model import CommandClass, ReadBack
from tests.drivers.sunspec_image import (
    COMMON,
    CONTROL_704,
    INVERTER_103,
    NAMEPLATE_120,
    PORTS_714,
    STORAGE_124,
    STORAGE_713,
    Image,
    StepClock,
    device,
    model_bytes,
)
from tests.drivers.test_sunspec_binding import profile


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commanded, "TIMER_PAUSE_S", 0)


ENA, WSET, RVRT, ENA_RVRT, TMS, REM = 22, 24, 26, 30, 31, 33  # offsets in 704


class Inverter704(Image):
    """704 with a timer that runs. `strict`: WSetEnaRvrt = 0 means no timer, as some devices take it."""

    strict = False
    at = 0

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        await super().write(unit, address, registers, timeout_s=timeout_s)
        at = self.find(704)
        runs = self.registers[at + ENA] == 1 and (self.registers[at + ENA_RVRT] == 1 or not self.strict)
        self.registers[at + REM] = 0
        self.registers[at + REM + 1] = self.registers[at + TMS + 1] if runs else 0

    def expire(self) -> None:
        at = self.find(704)
        self.registers[at + ENA] = self.registers[at + ENA_RVRT]
        self.registers.update({at + WSET + i: self.registers[at + RVRT + i] for i in (0, 1)})
        self.registers[at + REM + 1] = 0


def inverter(*models: bytes, **options: Any) -> tuple[Commanded, Inverter704]:
    stated = profile(**{"setpoint": "auto", **options})
    image = Inverter704.of(COMMON, INVERTER_103, *models)
    assert isinstance(image, Inverter704)
    here = device(stated)
    return Commanded(SunSpec(here, stated, image, StepClock()), stated, here), image


async def test_704_is_armed_at_zero_then_commanded_then_released() -> None:
    actuator, image = inverter(NAMEPLATE_120, STORAGE_124, CONTROL_704)
    assert isinstance(actuator, Actuator)
    identity = await actuator.connect()
    assert identity["vendor"] == "Gridseal Test"
    made = actuator.setpoint
    assert made.command_class is CommandClass.SELF_EXPIRING
    assert (made.charge_max_w, made.discharge_max_w, made.step_w) == (6000, 7000, 10)
    assert (made.timeout_s, made.refresh_s) == (60, 20)
    assert image.writes == []
    assert await actuator.arm(60) == 60
    assert await actuator.read_back() == ReadBack(0, True, 60)
    power_w = actuator.quantise(-3456)
    assert power_w == -3450
    await actuator.write_power(power_w)
    assert await actuator.read_back() == ReadBack(-3450, True, 60)
    image.expire()
    assert await actuator.read_back() == ReadBack(0, False, 0)  # handed back to the device
    await actuator.write_power(100)
    await actuator.release()
    assert await actuator.read_back() == ReadBack(0, False, 0)


async def test_the_timer_is_written_before_every_value() -> None:
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    await actuator.connect()
    await actuator.arm(45)
    image.log.clear()
    await actuator.write_power(1000)
    at = image.find(704)
    assert image.writes == [(at + ENA_RVRT, (0, 0, 45)), (at + ENA, (1, 1, 0, 100))]


async def test_a_device_that_takes_the_reversion_enable_for_its_timer() -> None:
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    image.strict = True
    await actuator.connect()
    assert await actuator.arm(60) == 60
    await actuator.write_power(500)
    assert await actuator.read_back() == ReadBack(500, True, 60)
    image.expire()
    assert await actuator.read_back() == ReadBack(0, False, 0)  # rests at 0 W, no longer by our order
    assert image.registers[image.find(704) + ENA] == 1


async def test_a_timer_that_is_shown_late_is_waited_for() -> None:
    """Else it would be armed the other way, and the device would rest at 0 W for ever after."""
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    await actuator.connect()
    at, whole, hidden = image.find(704), image.read, 2

    async def cached(unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        nonlocal hidden
        data = await whole(unit, table, address, count, timeout_s=timeout_s)
        if address != at or hidden == 0:
            return data
        hidden -= 1
        return data[: 2 * REM] + bytes(4) + data[2 * REM + 4 :]

    image.read = cached  # type: ignore[method-assign]
    assert await actuator.arm(60) == 60
    assert image.registers[at + ENA_RVRT] == 0


async def test_a_timer_that_does_not_run_is_reported_as_none() -> None:
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    await actuator.connect()
    at = image.find(704)
    image.write = Image.write.__get__(image)  # type: ignore[method-assign]
    assert await actuator.arm(60) == 0
    assert image.registers[at + WSET] == image.registers[at + WSET + 1] == 0


async def test_124_serves_where_there_is_no_704() -> None:
    actuator, image = inverter(NAMEPLATE_120, STORAGE_124, model_bytes(704, {}))
    image.__class__ = Image  # type: ignore[assignment]
    await actuator.connect()
    assert (actuator.setpoint.charge_max_w, actuator.setpoint.discharge_max_w) == (3300, 3300)
    assert await actuator.arm(90) == 90
    assert actuator.quantise(-5000) == -3300
    await actuator.write_power(actuator.quantise(-1650))
    assert await actuator.read_back() == ReadBack(-1650, True, 90)
    at = image.find(124)
    assert (image.registers[at + 5], image.registers[at + 12], image.registers[at + 13]) == (3, 60536, 5000)
    await actuator.release()
    back = await actuator.read_back()
    assert not back.active and back.timer_s == 0
    assert image.registers[at + 5] == 0 and image.registers[at + 12] == image.registers[at + 13] == 10000


@pytest.mark.parametrize(("preference", "model"), [("auto", 124), ("704", 704)])
async def test_704_commands_an_inverter_with_pv_only_if_told(preference: str, model: int) -> None:
    actuator, image = inverter(NAMEPLATE_120, STORAGE_124, PORTS_714, CONTROL_704, setpoint=preference)
    await actuator.connect()
    await actuator.write_power(0)
    at = image.find(model)
    assert all(at < address < at + 35 for address, _ in image.writes)


async def test_an_inverter_with_pv_and_no_124_is_not_commanded() -> None:
    actuator, _ = inverter(NAMEPLATE_120, PORTS_714, CONTROL_704)
    with pytest.raises(LinkError, match="nor a 704 on an inverter without PV"):
        await actuator.connect()


async def test_without_timer_the_command_latches() -> None:
    plain = model_bytes(704, {"WSetEna": 0, "WSetMod": 1, "WSet": 0, "WSet_SF": 0})
    actuator, image = inverter(NAMEPLATE_120, plain)
    image.__class__ = Image  # type: ignore[assignment]
    await actuator.connect()
    made = actuator.setpoint
    assert (made.command_class, made.timeout_s, made.refresh_s) == (CommandClass.LATCHING, 0, 0)
    assert await actuator.arm(60) == 0


async def test_the_profile_and_the_commissioned_time_narrow_what_the_device_states() -> None:
    stated = profile(setpoint="auto", charge_max_w=2000, discharge_max_w=9000, timeout_s=120)
    image, here = Inverter704.of(COMMON, INVERTER_103, NAMEPLATE_120, CONTROL_704), device(stated, timer_s=80)
    actuator = Commanded(SunSpec(here, stated, image, StepClock()), stated, here)
    assert actuator.setpoint == spec(stated, here)
    await actuator.connect()
    assert (actuator.setpoint.charge_max_w, actuator.setpoint.discharge_max_w) == (2000, 7000)
    assert (actuator.setpoint.timeout_s, actuator.setpoint.refresh_s) == (80, 26)
    assert actuator.quantise(-(10**9)) == -2000 and actuator.quantise(10**9) == 7000


async def test_a_device_without_rating_needs_one_in_the_profile() -> None:
    actuator, _ = inverter(CONTROL_704)
    with pytest.raises(LinkError, match="states no charge rating: write charge_max_w"):
        await actuator.connect()
    actuator, _ = inverter(CONTROL_704, charge_max_w=1000)
    with pytest.raises(LinkError, match="states no discharge rating"):
        await actuator.connect()
    actuator, _ = inverter(CONTROL_704, charge_max_w=1000, discharge_max_w=900)
    await actuator.connect()
    assert (actuator.setpoint.charge_max_w, actuator.setpoint.discharge_max_w) == (1000, 900)


@pytest.mark.parametrize("options", [{}, {"setpoint": "124"}])
async def test_a_device_that_cannot_be_commanded_says_what_to_do(options: dict[str, str]) -> None:
    actuator, _ = inverter(NAMEPLATE_120, model_bytes(704, {}), **options)
    with pytest.raises(LinkError, match=r"hold no usable 124, .*write `control: false`"):
        await actuator.connect()


async def test_nothing_is_written_before_the_device_was_reached() -> None:
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    for call in (actuator.arm(60), actuator.write_power(0), actuator.read_back(), actuator.release()):
        with pytest.raises(LinkError, match="has not been reached"):
            await call
    assert actuator.quantise(500) == 0, "control asks in the middle of a cycle: an answer, never an error"
    assert image.log == []


async def test_nothing_is_written_where_a_model_once_was() -> None:
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    await actuator.connect()
    moved = Image.of(COMMON, INVERTER_103, model_bytes(122, {}), NAMEPLATE_120, CONTROL_704)
    image.registers = moved.registers
    with pytest.raises(FrameError, match="no longer a model 704"):
        await actuator.read_back()
    image.log.clear()
    with pytest.raises(LinkError, match="not since its models moved"):
        await actuator.write_power(100)
    assert image.log == []
    sample = await actuator.read()  # scans again, finds 704 where it is now
    assert sample.points is actuator.points and not actuator.pushed
    assert await actuator.arm(60) == 60
    assert image.writes[0][0] == image.find(704) + RVRT


@pytest.mark.parametrize("sf", [0x8000, 11, 0xFFF0])
@pytest.mark.parametrize("models", [(CONTROL_704,), (STORAGE_124,)])
async def test_a_scale_factor_that_goes_is_a_failed_exchange_and_never_one_of_control(
    models: tuple[bytes, ...], sf: int
) -> None:
    actuator, image = inverter(NAMEPLATE_120, *models)
    image.__class__ = Image  # type: ignore[assignment]
    await actuator.connect()
    model, name = (704, "WSet_SF") if models == (CONTROL_704,) else (124, "InOutWRte_SF")
    known = layout(model, image.registers[image.find(model) + 1])
    assert known
    at = image.find(model) + known.by_name[name].offset
    before, image.registers[at] = image.registers[at], sf
    with pytest.raises(LinkError, match="no longer states what a setpoint needs"):
        await actuator.read_back()
    assert actuator.quantise(-1000) == -1000
    await actuator.release()  # what hands the battery back needs nothing of it
    image.registers[at] = before
    assert not (await actuator.read_back()).active


async def test_a_garbled_answer_costs_an_exchange_and_no_scan() -> None:
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    await actuator.connect()
    answers = image.read

    async def garbled(*_: object, **__: object) -> bytes:
        raise FrameError("no valid reply")

    for call in (actuator.read_back, actuator.read):
        image.read = garbled  # type: ignore[method-assign, assignment]
        with pytest.raises(FrameError):
            await call()
        image.read = answers  # type: ignore[method-assign]
        image.log.clear()
        await call()
        assert len(image.log) <= 3 and ("read", 40000, 2) not in image.log
    await actuator.write_power(100)


async def test_a_way_that_was_gone_at_a_rescan_is_looked_for_again() -> None:
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    await actuator.connect()
    whole = Inverter704.of(COMMON, INVERTER_103, model_bytes(122, {}), NAMEPLATE_120, CONTROL_704)
    image.registers = Image.of(COMMON, INVERTER_103, model_bytes(122, {}), NAMEPLATE_120).registers
    with pytest.raises(FrameError, match="no longer the same"):
        await actuator.read()
    with pytest.raises(LinkError, match="cannot be commanded"):
        await actuator.read()
    image.registers = whole.registers  # the device has come up as a whole
    await actuator.read()
    assert await actuator.arm(60) == 60


async def test_a_failed_reconnect_leaves_nothing_to_write_to() -> None:
    actuator, image = inverter(NAMEPLATE_120, CONTROL_704)
    await actuator.connect()
    image.registers = Image.of(COMMON, INVERTER_103, NAMEPLATE_120).registers
    with pytest.raises(LinkError, match="cannot be commanded"):
        await actuator.connect()
    with pytest.raises(LinkError, match="has not been reached"):
        await actuator.write_power(0)
    assert image.writes == []


async def test_a_refused_write_is_not_repeated() -> None:
    actuator, image = inverter(NAMEPLATE_120, STORAGE_713, CONTROL_704)
    await actuator.connect()
    image.read_only.add(image.find(704) + ENA)
    with pytest.raises(DeviceRefused):
        await actuator.arm(60)
    assert len(image.writes) == 3 and image.writes[-1][0] == image.find(704) + ENA
    await actuator.close()
    with pytest.raises(LinkError, match="has not been reached"):
        await actuator.release()
