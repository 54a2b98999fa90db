"""A P-256 key of a real PKCS#11 token vouches for a gateway key on chain, verified in Solidity."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from contracts.inprocess import Contract, Reverted
from contracts.scene import SITE, Scene
from rig import deploy
from rig.evmchain import CHAIN_ID

from gateway.chain.platforms.artifacts import artifact, calldata
from gateway.evidence import endorsement
from gateway.evidence import token as tokens
from gateway.evidence.endorsement import ORDER, Endorsement
from gateway.evidence.typed import Domain, site_hash
from tests.chain.ground import ANVIL_KEYS
from tests.gateway import softhsm
from tests.tools import need

KEY = ANVIL_KEYS[0]
AT_MS = 1_790_000_000_000


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def contract(scene: Scene) -> Contract:
    return scene.chain.deploy("HardwareIdentity", scene.verification.address)[0]


@pytest.fixture
def token(tmp_path):
    with softhsm.token(tmp_path) as hsm:
        tokens.make(hsm.place("identity"), softhsm.PIN.encode(), tokens.P256)
        yield tokens.Token(hsm.place("identity"), softhsm.PIN.encode(), tokens.P256)


def made(scene: Scene, token: tokens.Token) -> tuple[Endorsement, bytes]:
    said = endorsement.of(SITE, scene.key.address, AT_MS, token.public_key)
    return said, endorsement.low(token.sign(endorsement.hashed(endorsement.digest(scene.domain, said))))


def call(said: Endorsement, signature: bytes, **changes: object) -> tuple[object, ...]:
    fields = {
        "site": site_hash(said.site), "key": said.key, "at": said.at_ms, "x": said.x, "y": said.y,
        "r": signature[:32], "s": signature[32:],
    }  # fmt: skip
    return tuple((fields | changes).values())


def test_the_token_vouches_and_the_contract_says_since_when(scene: Scene, contract: Contract, token) -> None:
    said, signature = made(scene, token)
    assert contract.call("endorsedAt", said.key, said.x, said.y) == 0
    receipt = contract.send("endorse", *call(said, signature), sender=scene.stranger)
    ((name, event),) = contract.events(receipt)
    assert (name, event["key"], event["atMs"], event["x"]) == ("Endorsed", said.key, AT_MS, said.x)
    assert contract.call("endorsedAt", said.key, said.x, said.y) == AT_MS
    assert contract.call("endorsedAt", said.key, said.y, said.x) == 0


def test_what_the_identity_did_not_sign_is_refused(scene: Scene, contract: Contract, token) -> None:
    said, signature = made(scene, token)
    s = int.from_bytes(signature[32:], "big")
    for change in (
        {"site": site_hash("elsewhere")},
        {"key": "0x" + "12" * 20},
        {"at": AT_MS + 1},
        {"x": said.y},
        {"r": b"\x01" * 32},
        {"s": (ORDER - s).to_bytes(32, "big")},  # the other form of the same signature
        {"s": bytes(32)},
    ):
        with pytest.raises(Reverted, match="NotByThisIdentity"):
            contract.send("endorse", *call(said, signature, **change))


def test_a_statement_for_another_contract_counts_nothing_here(scene: Scene, token) -> None:
    elsewhere, _ = scene.chain.deploy("HardwareIdentity", scene.services.address)
    said, signature = made(scene, token)
    with pytest.raises(Reverted, match="NotByThisIdentity"):
        elsewhere.send("endorse", *call(said, signature))


async def test_a_chain_with_the_precompile_says_the_same_for_less(scene: Scene, token) -> None:
    """On anvil with the rules of Osaka, which have EIP-7951, and with those of Prague; SoftHSM2 signs."""
    gas = {}
    for rules in ("osaka", "prague"):
        async with anvil(rules) as node:
            code = bytes.fromhex(artifact("HardwareIdentity")["bytecode"][2:]) + bytes(12) + b"\x33" * 20
            address = (await node.send(KEY, None, code, gas=deploy.DEPLOY_GAS))["contractAddress"]
            said = endorsement.of(SITE, scene.key.address, AT_MS, token.public_key)
            digest = endorsement.digest(Domain(CHAIN_ID, "0x" + "33" * 20), said)
            signature = endorsement.low(token.sign(endorsement.hashed(digest)))
            good = calldata("HardwareIdentity", "endorse", *call(said, signature))
            gas[rules] = int((await node.send(KEY, address, good))["gasUsed"], 16)
            forged = calldata("HardwareIdentity", "endorse", *call(said, signature, at=AT_MS + 1))
            with pytest.raises(deploy.Failed):
                await node.send(KEY, address, forged)
            asked = await node.view("HardwareIdentity", address, "endorsedAt", said.key, said.x, said.y)
            assert asked == (AT_MS,)
    assert gas["osaka"] < gas["prague"] - 100_000, gas


@asynccontextmanager
async def anvil(rules: str) -> AsyncIterator[deploy.Node]:
    words = ["--port", "0", "--chain-id", str(CHAIN_ID), "--hardfork", rules]
    with subprocess.Popen([need("anvil"), *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = next(line for line in process.stdout if line.startswith("Listening on"))
            async with deploy.Node("http://" + line.split()[-1]) as node:
                yield node
        finally:
            process.terminate()
