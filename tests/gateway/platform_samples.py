"""Records and settings of the EVM platforms' tests: one of each kind, signed."""

from eth_abi.abi import decode

from gateway.chain.platforms.artifacts import artifact
from gateway.chain.shapes import Block
from gateway.evidence import records
from gateway.evidence.typed import Domain, keccak
from gateway.model import Cause, ClockTrust, CommandState, Delivery, Interval
from gateway.site import ChainSettings
from tests.chain.world import KeySigner

VERIFICATION, SERVICES = "0x" + "aa" * 20, "0x" + "bb" * 20
SETTINGS = ChainSettings(
    31337, ("http://a", "http://b"), "storage", {"verification": VERIFICATION, "services": SERVICES}, 7
)
BLOCK = Block(50, "0x" + "01" * 32, "0x" + "02" * 32, 1_790_000_000, 1)
PREVIOUS = b"\x09" * 32
INTERVAL = Interval(
    1_790_000_000_000, 1_790_000_900_000, 3600, b"\x07" * 32,
    1, 2, 3, 4, 5, 6, 5000, 9900, 7500, 49_998, 230_100, ClockTrust.TRUSTED, 8,
)  # fmt: skip
DELIVERY = Delivery(
    "ab" * 32, 1_790_000_000_000, 1_790_000_060_000, -50, -49, -3000, 12, -2940, 700, 31, 9876, 400,
    ((Cause.RAMP, 300), (Cause.SOC, 100)), CommandState.DONE, b"\x05" * 32, 60,
)  # fmt: skip


def made(body, sequence=5):
    record = records.seal(Domain(31337, VERIFICATION), "meadow", sequence, PREVIOUS, body)
    return records.signed(record, KeySigner("0x" + "11" * 32).sign(record.digest))


def arguments(call, contract, method):
    signature = next(s for s in artifact(contract)["methods"] if s.startswith(method + "("))
    assert call.data[:4] == keccak(signature.encode())[:4]
    return decode(signature.partition("(")[2].rstrip(")").split(","), call.data[4:])
