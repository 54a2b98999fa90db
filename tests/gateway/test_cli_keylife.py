"""`gridseal keys prove|rotate|revoke`: with the daemon and without, told in one line when it cannot be."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway import cli
from gateway.cli import keylife
from gateway.clock import SystemClock
from gateway.config import load
from gateway.evidence import possession, records
from gateway.evidence.signer import KeySigner, make_keystore
from gateway.evidence.typed import Domain
from gateway.keyring import Keys
from gateway.store import Store
from gateway.uplink.local import LocalServer
from tests.gateway.cli_bench import write

OLD, NEW = KeySigner(b"\x01" * 32), KeySigner(b"\x02" * 32)
OWNER = "0x52908400098527886E0F7030069857D2E4169EE7"
CONTRACT = "0x00000000000000000000000000000000000000a1"
KEYS = "attest: {key: old.json, passphrase: words, next: {key: new.json, passphrase: words}}\n"
CHAIN = f"""\
chain:
  id: 10
  rpc: ["https://one.example", "https://two.example"]
  platform: storage
  storage: 7
  contracts: {{verification: "{CONTRACT}", services: "0x00000000000000000000000000000000000000a2"}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, secret in (("old", b"\x01" * 32), ("new", b"\x02" * 32)):
        (tmp_path / f"{name}.json").write_bytes(make_keystore(secret, b"w", 2))
    (tmp_path / "words").write_text("w\n")
    return with_text(write(tmp_path), KEYS)


def with_text(path: Path, more: str) -> Path:
    path.write_text(path.read_text() + more + "clock: {trust: host}\nstore: {path: store.db}\n")
    return path


def said(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    assert cli.main(["keys", *map(str, words), "--json"]) == 0, capsys.readouterr().err
    return dict(json.loads(capsys.readouterr().out))


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert cli.main(["keys", *map(str, words)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def verified(capsys: pytest.CaptureFixture[str], site: Path) -> dict:
    assert cli.main(["verify", str(site), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_what_setGatewayKey_needs_is_printed(tmp_path, capsys) -> None:
    (tmp_path / "old.json").write_bytes(make_keystore(b"\x01" * 32, b"w", 2))
    (tmp_path / "words").write_text("w\n")
    site = with_text(write(tmp_path), "attest: {key: old.json, passphrase: words}\n" + CHAIN)
    found = said(capsys, "prove", site, "--owner", OWNER.lower())
    assert (found["address"], found["owner"], found["asset"]) == (OLD.address, OWNER, 7)
    digest = possession.digest(Domain(10, CONTRACT), OWNER, 7, load(site).id)
    assert records.recover(digest, bytes.fromhex(found["possession"][2:])) == OLD.address


def test_a_stopped_site_hands_over_in_its_store(site, capsys) -> None:
    found = said(capsys, "rotate", site)
    assert (found["record"], found["next"]) == (1, NEW.address)
    assert "restart" in found["then"]
    assert verified(capsys, site)["rotations"] == 1
    assert "is the site's key already" in refused(capsys, "rotate", site)
    assert verified(capsys, site)["records"] == 1


def test_a_stopped_sites_key_is_revoked_and_that_is_its_end(site, capsys) -> None:
    assert said(capsys, "revoke", site, "--reason", "retired")["record"] == 1
    assert "was revoked" in refused(capsys, "rotate", site)
    assert verified(capsys, site)["notes"] == ["record 1: the key is revoked, retired"]


async def test_a_running_daemon_hands_over_itself(tmp_path, site, capsys) -> None:
    settings = load(site)
    clock = SystemClock(assume_synchronised=True)
    store = Store(settings.store, clock)
    await store.open()
    asked = []
    made = Keys(settings, store, clock, OLD, keylife.domain(settings), None)

    async def rotate(request) -> dict:
        asked.append(request)
        return await made.requests["rotate"](request)

    async def status(_) -> dict:
        return {"records": {"key": OLD.address}}

    server = LocalServer(settings.socket, {"status": status, "rotate": rotate})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        while not settings.socket.exists():
            await asyncio.sleep(0.01)
        found = await asyncio.to_thread(said, capsys, "rotate", site)
        error = await asyncio.to_thread(refused, capsys, "rotate", site)
        task.cancel()
    await store.close()
    assert (found["record"], found["next"]) == (1, NEW.address)
    assert "handed over" in error
    assert asked[0]["files"] == [str(tmp_path / name) for name in ("new.json", "words")]
    assert found["then"].endswith("restart the daemon")
    assert verified(capsys, site)["signers"] == [OLD.address]


def test_what_is_missing_is_said(tmp_path, site, capsys) -> None:
    assert "needs attest" in refused(capsys, "prove", site, "--owner", OWNER)
    folder = tmp_path / "bare"
    folder.mkdir()
    bare = with_text(write(folder), "")
    assert "beside the old one" in refused(capsys, "rotate", bare)
    assert "has no key" in refused(capsys, "revoke", bare, "--reason", "retired")
    with pytest.raises(SystemExit):
        cli.main(["keys", "revoke", str(site)])
    with pytest.raises(SystemExit):
        cli.main(["keys", "revoke", str(site), "--reason", "bored"])


def test_the_owner_must_be_an_address(site, capsys) -> None:
    site.write_text(site.read_text() + CHAIN)
    assert "is not an address" in refused(capsys, "prove", site, "--owner", "0x12")
