"""A certificate is made: signed, stored, in force; figures of every kind fit."""

import json
from pathlib import Path

import pytest

from gateway.certified import Certified
from gateway.certify import Certifier
from gateway.commissioning import Channel, Fallback, Finding, Result
from gateway.evidence import certificate, setup
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import NO_CHAIN
from gateway.model import CommandClass, SetpointSpec
from gateway.setpoint import SetpointWriter
from gateway.site import StoreSettings
from gateway.store import Store, certificates
from tests.gateway.test_evidence_certificate import SECRET
from tests.sim import loop
from tests.sim.mocks import SPEC, MockInverter, site

BMS, INVERTER = Channel("bms", "battery_power_w"), Channel("inverter", "battery_power_w")
METER = Channel("inverter", "grid_power_w", meter=True)


def found(channel: Channel, gain_bp: int) -> Finding:
    return Finding(channel, gain_bp, 8, 8, 9921, 10, 20)


RESULT = Result((found(BMS, 9800), found(INVERTER, 10_000), found(METER, -10_000)), 950, 300, 12)
LATCHING = SetpointSpec(CommandClass.LATCHING, 5000, 5000)


@pytest.mark.parametrize(
    ("spec", "fallback", "timer"),
    [
        (SPEC, Fallback(59_000, 60_000), (1, 59_000, 60_000)),
        (SPEC, Fallback(), (2, 0, 0)),
        (SPEC, None, (3, 0, 0)),
        (LATCHING, None, (0, 0, 0)),
        (SPEC, Fallback(2**40, 2**40), (1, 2**32 - 1, 2**32 - 1)),
    ],
)
def test_what_was_found_is_signed_stored_and_in_force(
    spec: SetpointSpec, fallback: Fallback | None, timer: tuple[int, int, int], tmp_path: Path
) -> None:
    async def main(clock):
        at, store = site(), Store(StoreSettings(tmp_path / "g.db"), clock, threaded=False)
        await store.open()
        try:
            hand = SetpointWriter(at.devices[0], MockInverter(clock), clock)
            certified = Certified(at, {"inverter": hand}, [])
            certified.identified("bms", {"vendor": "Cells", "model": "B1", "serial": "7"})
            signer = KeySigner(SECRET)
            certifier = Certifier(at, clock, store, signer, NO_CHAIN, certified)
            row = await certifier.make("inverter", 500, spec, RESULT, fallback)
            (kept,) = await store.call(certificates.newest)
        finally:
            await store.close()
        assert row == certificates.row(kept)
        assert certificate.check(kept.body, kept.digest, kept.signature, signer.address) == []
        body = json.loads(kept.body)
        assert body["config"] == f"0x{setup.of(at, '').configuration.hex()}", "as the Setup record has it"
        assert (body["timer"], body["obeyed_ms"], body["reverted_ms"]) == timer
        assert [(p["device"], p["vendor"], p["battery_bp"], p["grid_bp"]) for p in body["parts"]] == [
            ("inverter", "", 10_000, -10_000),
            ("bms", "Cells", 9800, 0),
        ]
        assert hand.hold.proven and certified.said["inverter"].power_w == 500
        assert certifier.set_aside("inverter") and hand.hold.proven is None
        certifier.restore(None)
        assert hand.hold.proven is None

    loop.run(main)
