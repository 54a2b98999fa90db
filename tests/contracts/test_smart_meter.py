"""SmartMeter and GridManagement: whose readings count, what a day sums up to, what is attested."""

import pytest
from contracts.inprocess import Contract, Local, Reverted
from contracts.scene import RING, SITE

from gateway.evidence import possession
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import Domain, site_hash

KEY = b"\x01" * 32
NOON_S = 1_790_035_200 + 43_200
DAY = NOON_S // 86_400


class Meter:
    """One meter (id 1) of `owner` with a gateway key that can send."""

    def __init__(self) -> None:
        self.chain = Local()
        self.admin, self.owner, self.stranger = self.chain.accounts[:3]
        self.contract, _ = self.chain.deploy("SmartMeter", self.admin, RING)
        self.contract.send("registerMeter", "SN-1", sender=self.owner)
        signer = KeySigner(KEY)
        domain = Domain(self.chain.chain_id, self.contract.address)
        agreed = signer.sign(possession.digest(domain, self.owner, 1, SITE))
        self.contract.send("setGatewayKey", 1, signer.address, site_hash(SITE), agreed, sender=self.owner)
        self.gateway = self.chain.adopt(KEY)

    def read(self, at_s: int, consumption: int = 680, production: int = 500, sender: str = "") -> object:
        reading = (at_s, consumption, production, 49_991, 230_400)
        return self.contract.send("submitReading", reading, sender=sender or self.gateway)


@pytest.fixture
def meter() -> Meter:
    return Meter()


def test_a_meter_has_a_serial_number(meter: Meter) -> None:
    for serial in ("", "x" * 65):
        with pytest.raises(Reverted, match="BadMeter"):
            meter.contract.send("registerMeter", serial)


def test_only_the_meters_gateway_reads_it_and_only_forward(meter: Meter) -> None:
    with pytest.raises(Reverted, match="NotAllowed"):
        meter.read(NOON_S, sender=meter.owner)
    meter.read(NOON_S)
    for at_s in (NOON_S, NOON_S - 900):
        with pytest.raises(Reverted, match="NotLater"):
            meter.read(at_s)


def test_a_day_is_the_sum_of_its_readings_and_the_own_meter_needs_no_number(meter: Meter) -> None:
    meter.read(NOON_S)
    meter.read(NOON_S + 900)
    meter.read(NOON_S + 86_400, 7, 9)
    assert meter.contract.call("dayOf", 1, DAY) == (1360, 1000)
    assert meter.contract.call("dayOf", 1, DAY + 1) == (7, 9)

    def own(who: str, method: str) -> bytes:
        return meter.chain.call(meter.contract.address, meter.contract.data(method), sender=who)

    for who in (meter.owner, meter.gateway):
        assert int.from_bytes(own(who, "getLatestReading")[:32], "big") == NOON_S + 86_400
        today = meter.chain.now_s // 86_400
        assert int.from_bytes(own(who, "getDailyProduction"), "big") == (
            {DAY: 1000, DAY + 1: 9}.get(today, 0)
        )
    with pytest.raises(Reverted, match="NoMeter"):
        own(meter.stranger, "getDailyConsumption")


def test_what_no_record_says_is_not_attested(meter: Meter) -> None:
    ((name, said),) = meter.contract.events(meter.read(NOON_S))
    assert (name, said["attested"]) == ("ReadingSubmitted", False)


def test_a_meter_is_approved_on_evidence_and_ordered_only_then(meter: Meter) -> None:
    with pytest.raises(Reverted, match="NoEvidence"):
        meter.contract.send("approveMeter", 1)
    management: Contract
    management, _ = meter.chain.deploy("GridManagement", meter.admin, meter.contract.address)
    terms = (meter.chain.now_s, meter.chain.now_s + 900, 0, [1500])
    for method in ("balance", "requestDemandResponse", "regulateVoltage", "controlFrequency", "limitFeedIn"):
        with pytest.raises(Reverted, match="NotVerified"):
            management.send(method, 1, terms)
        with pytest.raises(Reverted, match="AccessControlUnauthorizedAccount"):
            management.send(method, 1, terms, sender=meter.stranger)
