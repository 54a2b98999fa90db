"""By what devices are told apart: signs of register profiles, SunSpec chains, CAN frames."""

import asyncio

import pytest
import yaml
from pydantic import ValidationError
from sunspec2.device import Model

from drivers.can import PLUGIN as CAN
from drivers.modbus import PLUGIN as MODBUS
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.recognise import RecogniseModel, SignModel
from drivers.sunspec import PLUGIN as SUNSPEC
from drivers.sunspec.profile import SunSpecProfile
from gateway.errors import DeviceRefused, LinkError
from gateway.recognising import Hearing, Recognising
from tests.drivers.can_bench import profile as can_profile
from tests.drivers.sunspec_image import BANK_802, Image

PROFILE = {
    "driver": "modbus", "role": "meter", "vendor": "Acme", "model": "M1", "sources": ["x"],
    "proof": "simulated",
    "points": {"grid_power_w": {"address": 1, "type": "s16"}},
    "identity": {"serial": {"address": 20, "count": 2}, "model": {"unit": 9, "address": 30, "count": 2}},
}  # fmt: skip


class Device:
    """Registers by (unit, table, address); other units are silent, other registers refused."""

    def __init__(self, registers):
        self.registers = registers
        self.asked = []

    async def read(self, unit, table, address, count, *, timeout_s):
        self.asked.append((unit, table, address))
        if unit not in {key[0] for key in self.registers}:
            raise LinkError("silence")
        words = [self.registers.get((unit, table, address + n)) for n in range(count)]
        if None in words:
            raise DeviceRefused("no", 2)
        return b"".join(words)


def text(unit, address, said, table="holding"):
    data = said.encode().ljust(-(-len(said) // 2) * 2, b"\0")
    return {(unit, table, address + n): data[2 * n : 2 * n + 2] for n in range(len(data) // 2)}


def made(**block):
    return ModbusProfile.model_validate({**PROFILE, "recognise": block})


def recognised(profile, device, unit=1):
    return asyncio.run(MODBUS.recognise(device, unit, {"acme": profile}))


def test_all_signs_must_be_there():
    profile = made(registers=[{"address": 10, "count": 2, "text": "^AC"}, {"address": 12, "equals": [7, 8]}])
    whole = text(1, 10, "ACME") | {(1, "holding", 12): b"\0\x08"} | text(1, 20, "S1")
    (match,) = recognised(profile, Device(whole | text(1, 21, "\0\0")))
    assert (match.profile, match.role, match.signs) == ("acme", "meter", 3)
    assert match.identity == {"vendor": "Acme", "serial": "S1"}
    assert recognised(profile, Device(whole | {(1, "holding", 12): b"\0\x09"})) == []
    assert recognised(profile, Device(text(1, 10, "ACME"))) == []  # refused is no sign
    assert recognised(profile, Device(whole | text(1, 10, "XACM"))) == []


def test_signs_elsewhere_of_other_types_and_tables():
    sign = {"unit": 100, "table": "input", "address": 5, "type": "u32", "equals": [65_537]}
    profile = made(units=[3, 4], registers=[sign])
    device = Device({(100, "input", 5): b"\0\1", (100, "input", 6): b"\0\1", (3, "holding", 0): b"\0\0"})
    assert [m.profile for m in recognised(profile, device, 3)] == ["acme"]
    assert recognised(profile, device, 1) == [] and MODBUS.units({"acme": profile}) == (3, 4)


def test_silence_is_the_callers_affair_and_without_signs_nothing_is_asked():
    with pytest.raises(LinkError):
        recognised(made(registers=[{"address": 1, "equals": [1]}]), Device({}))
    device = Device({})
    assert recognised(ModbusProfile.model_validate(PROFILE), device) == [] and device.asked == []
    assert MODBUS.units({"acme": ModbusProfile.model_validate(PROFILE)}) == ()


@pytest.mark.parametrize(
    "sign",
    [
        {"address": 1},
        {"address": 1, "text": "a", "equals": [1]},
        {"address": 1, "text": "("},
        {"address": 1, "text": "(a+)+b"},
        {"address": 65535, "count": 2, "text": "a"},
        {"address": 65535, "type": "u32", "equals": [1]},
        {"address": 1, "equals": []},
        {"address": 1, "text": "a" * 65},
        {"address": 1, "word": "a"},
    ],
)
def test_signs_that_are_none(sign):
    with pytest.raises(ValidationError):
        SignModel.model_validate(sign)


def test_a_block_needs_signs():
    with pytest.raises(ValidationError):
        RecogniseModel.model_validate({"registers": []})


def sunspec(name, **changes):
    data = yaml.safe_load((SUNSPEC.profiles / f"{name}.yaml").read_text())
    return SunSpecProfile.model_validate({**data, **changes})


def chain(maker="Fronius"):
    common = Model(1, data={"Mn": maker, "Md": "GEN24", "SN": "77"}).get_mb()
    inverter = Model(103, data={}).get_mb()
    return Image.of(common, inverter, BANK_802)


def fits(image, *names):
    profiles = {name: sunspec(name) for name in names}
    found = asyncio.run(SUNSPEC.recognise(image, 1, profiles))
    return {m.profile: (m.signs, m.identity.get("serial")) for m in found}


def test_a_chain_fits_the_roles_it_can_play_and_its_makers_profile_best():
    names = ("sunspec", "sunspec_meter", "sunspec_battery", "fronius_gen24")
    assert fits(chain(), *names) == {
        "sunspec": (1, "77"),
        "sunspec_battery": (1, "77"),
        "fronius_gen24": (3, "77"),
    }
    assert "fronius_gen24" not in fits(chain("Someone"), *names)


def test_what_is_no_sunspec_device_and_what_is_not_asked():
    refusing = Device({(1, "holding", 5): b"\0\0"})
    assert asyncio.run(SUNSPEC.recognise(refusing, 1, {"sunspec": sunspec("sunspec")})) == []
    with pytest.raises(LinkError):
        asyncio.run(SUNSPEC.recognise(Device({}), 1, {"sunspec": sunspec("sunspec")}))
    assert fits(chain()) == {}
    assert set(SUNSPEC.units({"a": sunspec("sunspec"), "b": sunspec("sunspec_meter")})) >= {1, 200}
    assert asyncio.run(SUNSPEC.recognise(chain(), 1, {"x": sunspec("sunspec", recognise=None)})) == []


def test_frames_that_every_such_battery_sends():
    profiles = {name: can_profile(name) for name in ("pylontech_can", "byd_hv_can", "jk_can")}
    anchors = {(0x351, False), (0x355, False), (0x356, False)}
    (match,) = CAN.heard(frozenset(anchors | {(0x7FF, False)}), profiles)
    assert (match.profile, match.role) == ("pylontech_can", "battery")
    assert CAN.heard(frozenset(list(anchors)[:2]), profiles) == []
    assert CAN.heard(frozenset({(id, True) for id, _ in anchors}), profiles) == []
    (match,) = CAN.heard(frozenset({(0x2F4, False), (0x4F4, False), (0x5F4, False)}), profiles)
    assert match.profile == "jk_can"


def test_who_can_be_asked_and_who_is_heard():
    assert isinstance(MODBUS, Recognising) and isinstance(SUNSPEC, Recognising) and isinstance(CAN, Hearing)
    assert not isinstance(CAN, Recognising)
