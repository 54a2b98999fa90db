"""What a stored certificate says of the devices of today: the same, another, gone, under another profile."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.certified import Certified, proven
from gateway.evidence import certificate
from gateway.evidence.certificate import Commissioning, Part, Timer
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import NO_CHAIN
from gateway.lease import Proven
from gateway.setpoint import SetpointWriter
from gateway.store.certificates import Certificate
from tests.gateway.test_evidence_certificate import ONE, SECRET
from tests.sim import loop
from tests.sim.mocks import MockInverter, site

IDENTITY = {"vendor": "Vendor", "model": "Model", "serial": "SN1"}
PARTS = (
    Part("inverter", "Vendor", "Model", certificate.serial_hash("SN1"), bytes(32), 10_000),
    Part("meter", "Meters", "M1", certificate.NO_SERIAL, bytes(32), grid_bp=-10_000),
)
SAID = replace(ONE, parts=PARTS)


def signed(said: Commissioning, secret: bytes = SECRET) -> Certificate:
    digest = certificate.digest(NO_CHAIN, "mocked", said)
    body = certificate.write(NO_CHAIN, "mocked", said)
    return Certificate(said.device, body, digest, KeySigner(secret).sign(digest))


class Desk:
    def __init__(self, clock, *stored: Certificate, **changes: Any) -> None:
        at = site()
        self.hand = SetpointWriter(at.devices[0], MockInverter(clock), clock)
        devices = tuple(replace(d, **changes) if d.name == "meter" else d for d in at.devices)
        self.certified = Certified(replace(at, devices=devices), {"inverter": self.hand}, stored)

    @property
    def fault(self) -> str:
        return self.hand.hold.fault


def desk(script, *stored: Certificate, **changes: Any) -> None:
    async def main(clock):
        script(Desk(clock, *stored, **changes))

    loop.run(main)


def test_the_same_devices_are_proven() -> None:
    def script(d: Desk) -> None:
        d.certified.identified("inverter", IDENTITY | {"firmware": "newer"})
        d.certified.identified("meter", {"vendor": "Meters", "model": "M1"})
        assert d.fault == ""
        assert d.hand.hold.proven == Proven("2026-09-21", 59, 61)

    desk(script, signed(SAID))


@pytest.mark.parametrize(
    ("device", "identity", "words"),
    [
        ("inverter", IDENTITY | {"serial": "SN2"}, "(Vendor Model): it is Vendor Model with another serial"),
        ("inverter", IDENTITY | {"model": "Other"}, "(Vendor Model): it is Vendor Other;"),
        ("inverter", {}, "(Vendor Model): it is unnamed"),
        ("meter", {"vendor": "Meters", "model": "M2"}, "(Meters M1): it is Meters M2"),
    ],
)
def test_another_device_is_a_fault_in_words(device: str, identity: dict[str, str], words: str) -> None:
    def script(d: Desk) -> None:
        d.certified.identified(device, identity)
        assert d.fault.startswith(f"{device} is not what was commissioned on 2026-09-21 {words}")
        assert d.fault.endswith("run gridseal commission")
        d.hand.clear()
        assert d.fault, "no operator clears it"
        good = IDENTITY if device == "inverter" else {"vendor": "Meters", "model": "M1"}
        d.certified.identified(device, good)
        assert d.fault == "", "the right one is back"

    desk(script, signed(SAID))


def test_another_profile_is_a_fault_before_anything_is_reached() -> None:
    def script(d: Desk) -> None:
        assert d.fault.startswith(
            "the profile of meter says other things than when commissioned on 2026-09-21"
        )

    desk(script, signed(SAID), profile_digest=b"\1" * 32)


def test_a_device_that_is_gone_from_the_site_is_a_fault() -> None:
    def script(d: Desk) -> None:
        assert d.fault.startswith("meter was there when commissioned on 2026-09-21 and is not in site.yaml")

    desk(script, signed(SAID), name="other")


def test_a_certificate_that_was_changed_on_the_disk_is_a_fault() -> None:
    longer = certificate.write(NO_CHAIN, "mocked", replace(SAID, obeyed_ms=3_600_000))

    def script(d: Desk) -> None:
        assert "is not as it was signed (digest is not that of its body)" in d.fault
        assert d.hand.hold.proven is None

    desk(script, replace(signed(SAID), body=longer))


def test_without_a_certificate_nothing_is_asked_of_a_device() -> None:
    def script(d: Desk) -> None:
        d.certified.identified("inverter", {})
        assert d.fault == "" and d.hand.hold.proven is None

    desk(script)
    desk(script, signed(replace(SAID, parts=(replace(PARTS[0], device="sold"),))))


def test_one_that_is_set_aside_is_back_when_it_is_adopted_again() -> None:
    def script(d: Desk) -> None:
        d.certified.identified("inverter", {})
        assert d.fault
        before = d.certified.set_aside("inverter")
        assert before == SAID and d.fault == "" and d.hand.hold.proven is None
        d.certified.adopt(before)
        assert d.fault and d.hand.hold.proven

    desk(script, signed(SAID))


@pytest.mark.parametrize(
    ("timer", "obeyed_ms", "reverted_ms", "expected"),
    [
        (Timer.MEASURED, 59_900, 60_001, Proven("2026-09-21", 59, 61)),
        (Timer.MEASURED, 400, 900, Proven("2026-09-21", 1, 1)),
        (Timer.NOT_FOUND, 0, 0, Proven("2026-09-21", endless=True)),
        (Timer.NONE, 0, 0, Proven("2026-09-21")),
    ],
)
def test_a_timer_is_never_believed_better_than_it_was_seen(
    timer: Timer, obeyed_ms: int, reverted_ms: int, expected: Proven
) -> None:
    said = replace(SAID, timer=timer, obeyed_ms=obeyed_ms, reverted_ms=reverted_ms)
    assert proven(said) == expected
