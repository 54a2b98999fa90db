"""The contracts of platforms `microgrid` and `registry`: who may do what, and what is summed how."""

import pytest
from contracts.inprocess import Contract, Local, Reverted
from contracts.scene import RING, SITE

from gateway.evidence import possession
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import Domain, site_hash

KEY = b"\x01" * 32
START, END = 1_790_000_000_000, 1_790_000_900_000


class Site:
    """One asset (id 1) of `owner` in an evidence contract, with a gateway key that can send."""

    def __init__(self, contract: str, register: str) -> None:
        self.chain = Local()
        self.admin, self.owner, self.stranger = self.chain.accounts[:3]
        self.evidence, _ = self.chain.deploy(contract, self.admin, RING)
        self.evidence.send(register, sender=self.owner)
        signer = KeySigner(KEY)
        domain = Domain(self.chain.chain_id, self.evidence.address)
        agreed = signer.sign(possession.digest(domain, self.owner, 1, SITE))
        self.evidence.send("setGatewayKey", 1, signer.address, site_hash(SITE), agreed, sender=self.owner)
        self.gateway = self.chain.adopt(KEY)

    def deploy(self, name: str, *arguments: object) -> Contract:
        return self.chain.deploy(name, *arguments)[0]


@pytest.fixture
def member() -> Site:
    return Site("MicrogridProduction", "registerMember")


@pytest.fixture
def microgrid() -> Site:
    return Site("DeviceRegistry", "registerMicrogrid")


def test_production_is_the_gateways_word_and_sums_up(member: Site) -> None:
    made = (START, END, 500, 40, 49_991, 230_400)
    with pytest.raises(Reverted, match="NotAllowed"):
        member.evidence.send("recordProduction", made, sender=member.owner)
    member.evidence.send("recordProduction", made, sender=member.gateway)
    for again in (made, (END, END, *made[2:])):
        with pytest.raises(Reverted, match="NotLater"):
            member.evidence.send("recordProduction", again, sender=member.gateway)
    assert [member.evidence.call("produced", 1, source) for source in (0, 1)] == [500, 40]
    with pytest.raises(Reverted, match="NoEvidence"):
        member.evidence.send("certify", 1, 450)


def test_abnormal_use_is_an_event_and_the_total_is_nobodys(member: Site) -> None:
    consumption = member.deploy("MicrogridConsumption", member.evidence.address)
    with pytest.raises(Reverted, match="NotAllowed"):
        consumption.send("setThreshold", 1, 2000)
    consumption.send("setThreshold", 1, 2000, sender=member.owner)

    def use(start: int, energy: int) -> list[str]:
        said = (start, start + 900_000, energy, 0)
        receipt = consumption.send("recordConsumption", 1, said, sender=member.gateway)
        return [name for name, _ in consumption.events(receipt)]

    assert use(START, 500) == ["ConsumptionRecorded"]
    assert use(END, 501) == ["ConsumptionRecorded", "AbnormalUse"]
    assert consumption.call("peakOf", 1) == 2004
    assert consumption.call("totalOn", START // 86_400_000) == 1001
    with pytest.raises(Reverted, match="NotLater"):
        use(START, 1)
    with pytest.raises(Reverted, match="NotAllowed"):
        consumption.send("recordConsumption", 1, (END, END + 1, 1, 0), sender=member.owner)


def test_only_certified_members_are_ordered_or_sell(member: Site) -> None:
    balancing = member.deploy("MicrogridBalancing", member.admin, member.evidence.address)
    terms = (member.chain.now_s, member.chain.now_s + 900, 0, [])
    with pytest.raises(Reverted, match="NotVerified"):
        balancing.send("order", 1, 6, terms)
    with pytest.raises(Reverted, match="AccessControlUnauthorizedAccount"):
        balancing.send("order", 1, 6, terms, sender=member.stranger)
    trading = member.deploy("MicrogridTrading", member.admin, member.evidence.address)
    offer = (1, member.chain.now_s, 900, 500, 10**12, 1)
    with pytest.raises(Reverted, match="NotVerified"):
        trading.send("offer", *offer, sender=member.owner)
    with pytest.raises(Reverted, match="NotAllowed"):
        trading.send("offer", *offer, sender=member.stranger)
    with pytest.raises(Reverted, match="NotOpen"):
        trading.send("buy", 1)


def test_a_device_is_registered_once_and_changes(microgrid: Site) -> None:
    registry = microgrid.evidence
    with pytest.raises(Reverted, match="NotAllowed"):
        registry.send("registerDevice", "bms", "battery", "B", 0, sender=microgrid.owner)
    for status in (0, 2):
        registry.send("registerDevice", "bms", "battery", "B", status, sender=microgrid.gateway)
    (device,) = registry.call("getDevices", 1)
    assert device[:4] == ("bms", "battery", "B", 2)
    for bad in (("", "battery", "B"), ("x" * 65, "", ""), ("bms", "x" * 65, ""), ("bms", "", "x" * 65)):
        with pytest.raises(Reverted, match="BadDevice"):
            registry.send("registerDevice", *bad, 0, sender=microgrid.gateway)
    for number in range(63):
        registry.send("registerDevice", f"d{number}", "", "", 0, sender=microgrid.gateway)
    with pytest.raises(Reverted, match="TooManyDevices"):
        registry.send("registerDevice", "one-more", "", "", 0, sender=microgrid.gateway)


def test_rewards_follow_the_figures(microgrid: Site) -> None:
    rewards = microgrid.deploy("RewardSystem", microgrid.admin, microgrid.evidence.address)
    rewards.send("setTarget", 1, 4000)

    def points(start: int, produced: int, consumed: int, imported: int, there: int) -> int:
        before = rewards.call("pointsOf", 1)
        said = (start, start + 900_000, produced, consumed, imported, 0, there)
        rewards.send("submitFigures", 1, said, sender=microgrid.gateway)
        return rewards.call("pointsOf", 1) - before

    assert points(START, 3000, 2000, 1000, 9900) == 6 + 1 + 1, "imported 4 kW: not below the target"
    assert points(END, 0, 999, 999, 9899) == 3
    with pytest.raises(Reverted, match="NotLater"):
        points(START, 1, 1, 1, 1)
    with pytest.raises(Reverted, match="NotAllowed"):
        rewards.send("submitFigures", 1, (END, END + 1, 0, 0, 0, 0, 0), sender=microgrid.owner)
