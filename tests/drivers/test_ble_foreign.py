"""The library aiobmsble as a driver: a stand-in for its limits and failures on every Python; the library
itself, over the virtual radio, where it runs (3.12 and newer; elsewhere those tests are not collected).
"""

import asyncio
from importlib.util import find_spec
from sys import version_info
from types import SimpleNamespace

import bleak
import pytest

from drivers.ble import foreign
from drivers.ble.foreign import CONNECT_S, UPDATE_S
from drivers.ble.link import CLOSE_S
from drivers.ble.profile import BleProfile
from drivers.ble.radio import CLEAN_S
from gateway.errors import LinkError
from gateway.tape import Unrecordable
from tests.drivers.ble_bench import answers, bench, power_w, profile, read_by, recorded, told
from tests.sim.loop import run


def table(module: str):
    plain = profile("jbd_ble").model_dump(mode="json", exclude={"gatt"}) | {"family": f"aiobmsble:{module}"}
    return BleProfile.model_validate(plain).table()


class StandIn:
    """The library's class as far as the driver uses it. `hangs` and `raises` go by what is called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.hangs, self.raises = "", {}
        self.is_connected = False
        self.sample = {"voltage": 52.36, "current": 1.0}

    def __call__(self, device) -> "StandIn":
        assert device.address
        return self

    def uuid_services(self):
        return ("0000ff00-0000-1000-8000-00805f9b34fb",)

    async def _do(self, name: str) -> None:
        self.calls.append(name)
        if name == self.hangs:
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(3600)
        if name in self.raises:
            raise self.raises[name]

    async def __aenter__(self) -> "StandIn":
        await self._do("connect")
        self.is_connected = True
        return self

    async def device_info(self):
        await self._do("info")
        return {"model": "SP04S034", "sw_version": "1.0", "fw_version": "8.0", "serial_number": ""}

    async def async_update(self, raw):
        assert raw  # what the library works out would look measured
        await self._do("update")
        return self.sample

    async def disconnect(self) -> None:
        await self._do("disconnect")
        self.is_connected = False


@pytest.fixture
def library(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setattr(foreign, "need", lambda _family: None)
    monkeypatch.setattr(foreign, "import_module", lambda _name: SimpleNamespace(BMS=stand_in))
    return stand_in


def on_air(main):
    async def whole(clock):
        async with (
            bench(clock) as (air, adapter, _),
            read_by(adapter, clock, table=table("some_bms")) as (driver, link),
        ):
            await main(clock, air, driver, link)

    run(whole)


def test_it_says_who_it_is_and_what_it_measures(library):
    async def main(clock, air, driver, _link):
        assert await driver.connect() == {"vendor": "JBD", "model": "SP04S034", "firmware": "8.0"}
        assert air.log == ["scan", "scan ended"]
        said = told(await driver.read())
        assert said == {
            "battery_voltage_mv": 52_360,
            "battery_current_ma": -1000,
            "battery_power_w": -52,
        }

    on_air(main)


@pytest.mark.parametrize(
    ("hangs", "limit_s"),
    [("connect", CONNECT_S), ("update", UPDATE_S), ("disconnect", CLOSE_S), ("info", 10)],
)
def test_nothing_that_the_library_does_is_waited_for_without_an_end(library, hangs, limit_s):
    async def main(clock, _air, driver, link):
        library.hangs = hangs
        began_ms = clock.mono_ms()
        try:
            await driver.connect()
            await driver.read()
            assert hangs in ("disconnect", "info")
        except LinkError:
            assert hangs in ("connect", "update")
        await driver.close()
        assert (clock.mono_ms() - began_ms) / 1000 <= limit_s + CLEAN_S + 2
        assert link.counters.stuck == (hangs == "disconnect")

    on_air(main)


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        bleak.BleakError("gone"),
        ValueError("BMS data incomplete."),
        IndexError("index out of range"),
        ZeroDivisionError(),
        PermissionError("Incorrect secret."),
    ],
    ids=repr,
)
def test_whatever_its_readers_raise_is_a_link_error_of_one_line(library, error):
    async def main(_clock, _air, driver, _link):
        library.raises = {"connect": error}
        with pytest.raises(LinkError):
            await driver.connect()
        assert library.calls[-1] == "disconnect"
        library.raises = {"update": error, "info": error}
        assert await driver.connect() == {"vendor": "JBD"}
        with pytest.raises(LinkError) as said:
            await driver.read()
        assert "bms1" in str(said.value) and "\n" not in str(said.value)
        library.raises = {}
        assert told(await driver.read())

    on_air(main)


def test_the_library_is_not_let_to_connect_again_by_itself(library):
    async def main(_clock, _air, driver, _link):
        with pytest.raises(LinkError, match="the connection ended"):
            await driver.read()
        await driver.connect()
        library.is_connected = False  # the device hung up
        with pytest.raises(LinkError, match="the connection ended"):
            await driver.read()
        assert library.calls.count("update") == 0
        await driver.connect()
        assert told(await driver.read())

    on_air(main)


def test_that_its_traffic_cannot_be_recorded_is_said(library):
    async def main(_clock, _air, driver, _link):
        assert isinstance(driver, Unrecordable) and "cannot be recorded" in driver.unrecordable

    on_air(main)


def test_a_sample_without_a_value_is_no_sample(library):
    async def main(_clock, _air, driver, _link):
        await driver.connect()
        library.sample = {"battery_charging": True}
        with pytest.raises(LinkError, match="without a single value"):
            await driver.read()

    on_air(main)


if version_info >= foreign.PYTHON:  # the library's own minimum

    @pytest.mark.parametrize("board", recorded("bms_jbd"), ids=lambda b: b["name"])
    def test_the_library_reads_a_recorded_board_as_our_own_frames_do(monkeypatch, board):
        async def main(clock):
            async with bench(clock) as (air, adapter, [bms]):
                bms.answers = answers("jbd", board["replies"])
                kind = lambda: (air.stack.client, "air")  # noqa: E731
                monkeypatch.setattr(bleak, "get_platform_client_backend_type", kind)
                async with read_by(adapter, clock, table=table("jbd_bms")) as (driver, link):
                    identity = await driver.connect()
                    assert identity["firmware"] and identity["vendor"] == "JBD"
                    said = told(await driver.read())
                    common = {k: v for k, v in board["told"].items() if k in said}
                    assert common.items() <= said.items() and len(common) >= 12
                    assert said["battery_power_w"] == power_w(board["told"])
                    await bms.hang_up()
                    await asyncio.sleep(0.1)
                    with pytest.raises(LinkError, match="the connection ended"):
                        await driver.read()
                    await driver.connect()
                    assert told(await driver.read()) == said
                    assert link.counters.connected == 2 and link.counters.stuck == 0

        run(main)

    def test_every_module_of_the_library_has_what_the_driver_uses():
        assert find_spec("aiobmsble") is not None, "the extra ble brings it"
        found = foreign.modules()
        assert len(found) >= 50
        for module in found:
            foreign.need(f"aiobmsble:{module}")
            kind = foreign.import_module(f"aiobmsble.bms.{module}").BMS
            assert kind.uuid_services() is not None and kind.INFO["manufacturer"]
            for name in ("async_update", "device_info", "disconnect", "is_connected", "__aenter__"):
                assert hasattr(kind, name)
