"""GridServices: ordered with escrow, paid once, only on accepted delivery evidence, by the stated rule."""

import pytest
from contracts.inprocess import Reverted
from contracts.scene import INTERVAL, SITE, SPECS, Scene

from gateway.chain.platforms.storage import SYSTEM
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, site_hash
from gateway.model import CommandState, ServiceKind

PAYMENT = 10**15


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.submit(INTERVAL)
    made.verify_installation()
    return made


def settle(scene: Scene) -> tuple[int, int]:
    """(paid to the owner, returned to the operator)."""
    scene.services.send("validateServiceDelivery", scene.service, sender=scene.stranger)
    before = scene.chain.balance(scene.owner)
    receipt = scene.services.send("settlePayments", scene.service, sender=scene.stranger)
    ((_, event),) = scene.services.events(receipt)
    assert scene.chain.balance(scene.owner) - before == event["paid"]
    assert event["paid"] + event["returned"] == PAYMENT
    return event["paid"], event["returned"]


@pytest.mark.parametrize(
    ("ordered", "delivered", "paid_bp"),
    [
        (750, 750, 10_000),
        (750, 713, 10_000),  # 95.06 %: within tolerance
        (750, 712, 9493),  # below it, pro rata
        (750, 375, 5000),
        (750, 374, 0),
        (750, 9000, 10_000),  # more is not paid more
        (750, -750, 0),
        (750, 0, 0),
        (-750, -720, 10_000),
        (-750, 720, 0),
        (2**63 - 1, 2**63 - 1, 10_000),
    ],
)
def test_energy_is_paid_by_its_share(scene: Scene, ordered: int, delivered: int, paid_bp: int) -> None:
    command = scene.order(energy_wh=ordered, value=PAYMENT)
    scene.submit(scene.delivery(command, delivered))
    assert settle(scene)[0] == PAYMENT * paid_bp // 10_000


@pytest.mark.parametrize(
    ("available_bp", "outcome", "paid_bp"),
    [
        (10_000, CommandState.DONE, 10_000),
        (9500, CommandState.DONE, 10_000),
        (9499, CommandState.DONE, 9499),
        (5000, CommandState.DONE, 5000),
        (4999, CommandState.DONE, 0),
        (0, CommandState.DONE, 0),
        (2**16 - 1, CommandState.DONE, 10_000),
        (10_000, CommandState.CUT_SHORT, 0),
        (10_000, CommandState.REFUSED, 0),
    ],
)
def test_availability_is_paid_by_the_time_the_battery_was_there(
    scene: Scene, available_bp: int, outcome: CommandState, paid_bp: int
) -> None:
    """What held the setpoint back for a while (a ramp, a limit that was agreed) costs nothing."""
    command = scene.order(energy_wh=0, value=PAYMENT, service=0)
    scene.submit(scene.delivery(command, 3, available_bp=available_bp, curtailed_ms=900_000, outcome=outcome))
    assert settle(scene)[0] == PAYMENT * paid_bp // 10_000


def test_the_order_event_says_all_a_gateway_needs(scene: Scene) -> None:
    scene.order(energy_wh=750, value=PAYMENT)
    order = scene.services.call("getOrder", scene.service)
    assert order[1] == scene.operator.lower()
    assert order[2:5] == (scene.not_before, scene.not_after, 750)
    assert order[7:] == (PAYMENT, 1, 1)
    assert SYSTEM.services[2] is ServiceKind.FIXED_POWER
    assert scene.services.call("getService", scene.service) == (1, 2, 5 * 10**18)


def test_nothing_is_paid_without_evidence_or_twice(scene: Scene) -> None:
    command = scene.order(energy_wh=750, value=PAYMENT)
    with pytest.raises(Reverted, match="WrongState"):
        scene.services.send("settlePayments", scene.service)
    with pytest.raises(Reverted, match="NoDelivery"):
        scene.services.send("validateServiceDelivery", scene.service)
    with pytest.raises(Reverted, match="WrongState"):
        scene.order_again(energy_wh=1, value=0)
    scene.submit(scene.delivery(command, 750))
    settle(scene)
    for step in ("validateServiceDelivery", "settlePayments"):
        with pytest.raises(Reverted, match="WrongState"):
            scene.services.send(step, scene.service)


def test_the_next_order_has_another_id_and_old_evidence_does_not_serve_it(scene: Scene) -> None:
    first = scene.order(energy_wh=750, value=PAYMENT)
    scene.submit(scene.delivery(first, 750))
    settle(scene)
    assert scene.order_again(energy_wh=750, value=PAYMENT) != first
    with pytest.raises(Reverted, match="NoDelivery"):
        scene.services.send("validateServiceDelivery", scene.service)


@pytest.mark.parametrize("shift_ms", [-61_000, 61_000])
def test_a_delivery_outside_its_window_is_no_evidence(scene: Scene, shift_ms: int) -> None:
    command = scene.order(energy_wh=750, value=PAYMENT)
    body = scene.delivery(command, 750)
    moved = scene.delivery(command, 750, start_ms=body.start_ms + shift_ms, end_ms=body.end_ms + shift_ms)
    scene.submit(moved)
    with pytest.raises(Reverted, match="OutsideWindow"):
        scene.services.send("validateServiceDelivery", scene.service)


def test_another_storages_evidence_does_not_serve(scene: Scene) -> None:
    command = scene.order(energy_wh=750, value=PAYMENT)
    specs = (1, 1, 90, "", "")
    scene.verification.send("registerStorage", scene.owner, specs, sender=scene.owner)
    assert scene.verification.call("deliveryOf", 2, command)[0] == 0
    scene.key = type(scene.key)(b"\x05" * 32)
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.submit(scene.delivery(command, 750))


def test_the_operator_takes_back_what_was_never_proven_and_withdraws(scene: Scene) -> None:
    scene.order(energy_wh=750, value=PAYMENT)
    with pytest.raises(Reverted, match="TooEarly"):
        scene.services.send("cancelService", scene.service, sender=scene.operator)
    scene.chain.travel(scene.not_after + 2 * 86_400 + 2)
    with pytest.raises(Reverted, match="NotAllowed"):
        scene.services.send("cancelService", scene.service, sender=scene.stranger)
    scene.services.send("cancelService", scene.service, sender=scene.operator)
    assert scene.services.call("credit", scene.operator) == PAYMENT
    scene.services.send("withdraw", sender=scene.operator)
    assert scene.services.call("credit", scene.operator) == 0
    assert scene.chain.balance(scene.services.address) == 0


# Calls the address in its first word with the rest of its calldata; takes no ether. Written by hand.
FORWARDER = bytes.fromhex(
    "602a80600b6000396000f3"  # the creation code: returns what follows
    "36600857600080fd5b"  # without calldata: revert
    "6020360380" "6020600037"  # the rest of it to memory
    "600060008260006000600035" "5af1" "602857600080fd5b00"  # call, and fail as it does
)  # fmt: skip


def test_an_owner_that_takes_no_payment_holds_up_nobody_elses_money(scene: Scene) -> None:
    owner, _ = scene.chain.create(FORWARDER)

    def as_owner(contract, method: str, *arguments: object) -> None:
        target = bytes(12) + bytes.fromhex(contract.address[2:])
        scene.chain.send(owner, target + contract.data(method, *arguments))

    scene.verification.send("registerStorage", owner, SPECS)
    scene.key = KeySigner(b"\x05" * 32)
    scene.sequence, scene.previous = 0, GENESIS
    agreed = scene.consent(scene.key, owner, asset=2)
    as_owner(scene.verification, "setGatewayKey", 2, scene.key.address, site_hash(SITE), agreed)
    scene.submit(INTERVAL)
    scene.verification.send("verifyInstallation", 2)
    as_owner(scene.services, "registerServiceFor", 2, 2, 1)
    scene.service = scene.services.call("serviceCount")
    command = scene.order_again(energy_wh=1000, value=PAYMENT)
    scene.submit(scene.delivery(command, 750))
    scene.services.send("validateServiceDelivery", scene.service)
    scene.services.send("settlePayments", scene.service)
    assert scene.services.call("credit", scene.operator) == PAYMENT // 4
    assert scene.services.call("credit", owner) == PAYMENT // 4 * 3
    with pytest.raises(Reverted):
        as_owner(scene.services, "withdraw")
    assert scene.services.call("credit", owner) == PAYMENT // 4 * 3
    scene.order_again(energy_wh=1000, value=PAYMENT)  # and the service can be ordered again


def test_an_order_has_no_more_parameters_than_any_service_takes(scene: Scene) -> None:
    """Every gateway reads every order's event: one too large for them would stop them all."""
    scene.order(energy_wh=1, value=0, values=[1] * 16)
    with pytest.raises(Reverted, match="TooManyParameters"):
        scene.order(energy_wh=1, value=0, values=[1] * 17)


def test_the_operator_cannot_take_back_what_was_delivered(scene: Scene) -> None:
    command = scene.order(energy_wh=750, value=PAYMENT)
    scene.submit(scene.delivery(command, 750))
    scene.chain.travel(scene.not_after + 2 * 86_400 + 2)
    with pytest.raises(Reverted, match="HasEvidence"):
        scene.services.send("cancelService", scene.service, sender=scene.operator)
    assert settle(scene) == (PAYMENT, 0)


def test_who_may_register_order_and_stop(scene: Scene) -> None:
    services, stranger = scene.services, scene.stranger
    with pytest.raises(Reverted, match="NotAllowed"):
        services.send("registerServiceFor", 1, 2, 1, sender=stranger)
    with pytest.raises(Reverted, match="NotAllowed"):
        services.send("registerService", 2, 1, sender=stranger)
    with pytest.raises(Reverted, match="AccessControlUnauthorizedAccount"):
        services.send("executeService", 1, b"", sender=stranger)
    with pytest.raises(Reverted, match="AccessControlUnauthorizedAccount"):
        services.send("emergencyStop", 1, sender=stranger)
    with pytest.raises(Reverted, match="UnknownService"):
        services.send("executeService", 9, b"", sender=scene.operator)
    receipt = services.send("emergencyStop", 1, sender=scene.operator)
    assert services.events(receipt) == [("EmergencyStop", {"assetId": 1, "operator": scene.operator.lower()})]


def test_a_window_that_is_over_or_backwards_is_refused(scene: Scene) -> None:
    scene.order(energy_wh=1, value=0)
    scene.services.send("registerServiceFor", 1, 2, 1, sender=scene.owner)
    scene.service += 1
    with pytest.raises(Reverted, match="BadWindow"):
        scene.order_again(energy_wh=1, value=0, seconds=0)
    with pytest.raises(Reverted, match="BadWindow"):
        scene.order_again(energy_wh=1, value=0, seconds=-10)


def test_services_of_an_unverified_storage_are_refused() -> None:
    scene = Scene()
    with pytest.raises(Reverted, match="NotVerified"):
        scene.order(energy_wh=750, value=PAYMENT)
