"""Bad input, said once: one clear line that says what to do, before a device is written to, nothing lost.

Each case runs the real `gridseal run` beside a rig whose journal must stay empty. What a daemon may go on
without (a device that is not there) it goes on without; see test_daemon.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.evidence.signer import KeySigner
from tests import processes
from tests.processes import gridseal
from tests.system import stage
from tests.system.stage import Rig, daemon, until

OVERLAP = """\
driver: modbus
role: inverter
vendor: nobody
model: overlapping
sources: [this test]
proof: simulated
points:
  battery_power_w: {address: 100, type: s32}
  battery_soc_bp: {address: 101, type: u16}
"""
NOWHERE = "0x" + "12" * 20
STRANGER = KeySigner(b"\x34" * 32)


@pytest.fixture
def where(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with processes.rig(tmp_path, "--tcp", "0", "--slcan") as ready:
        (tmp_path / "site.yaml").write_text(stage.site(ready))
        yield ready


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with stage.node(tmp_path_factory.mktemp("node")) as ready:
        yield ready


def change(folder: Path, old: str, new: str) -> None:
    text = (folder / "site.yaml").read_text()
    assert old in text
    (folder / "site.yaml").write_text(text.replace(old, new))


def refused(folder: Path, *said: str) -> str:
    """`gridseal run` ends with exit code 1 and one line that says all of this; no device was written to."""
    done = gridseal(folder, "run", "site.yaml")
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    for words in said:
        assert words in done.stderr
    rig = Rig(folder)
    assert rig.state()["writes"] == 0 and rig.journal() == []
    return done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  control: 200 ms", "  contrl: 200 ms", ("site.yaml:4:3:", "contrl", "control")),
        ("charge: 5 kW,", "charge: 5 kilos,", ("site.yaml:3:", "5 kilos")),
        ("devices:", "devices: [", ("site.yaml:", "not YAML")),
        ("charge: 5 kW,", "charge: 50 kW,", ("charge limit 50.00 kW is above", "lower it to the nameplate")),
        (
            "profile: sunspec,",
            "profile: sunspc,",
            ("no profile 'sunspc'", "did you mean 'sunspec'?"),
        ),
        ("tcp://", "tpc://", ("site.yaml:7:", "tpc")),
    ],
    ids=["key", "unit", "yaml", "nameplate", "profile", "link"],
)
def test_a_wrong_site_yaml(tmp_path, where, old, new, said):
    if said[0].startswith("charge limit"):
        change(tmp_path, "profile: sunspec,", "profile: sma_like,")
        (tmp_path / "sma_like.yaml").write_text(WITH_NAMEPLATE)
    text = (tmp_path / "site.yaml").read_text()
    assert old in text
    (tmp_path / "site.yaml").write_text(text.replace(old, new, 1))
    refused(tmp_path, *said)
    assert not (tmp_path / "store.db").exists()


WITH_NAMEPLATE = """\
driver: modbus
role: inverter
vendor: nobody
model: small
sources: [this test]
proof: simulated
points:
  battery_power_w: {address: 100, type: s32}
setpoint:
  class: watchdog
  charge_max: 5000
  discharge_max: 5000
  timeout_s: 60
  refresh_s: 10
  settle_s: 5
  write:
    - {address: 40149, values: [{type: s32, value: power}, {type: u32, value: 802}]}
  read_back:
    mode: {address: 40151, type: u32}
    held:
      - {mode: 802, power: {address: 40149, type: s32}}
  release:
    - {address: 40149, values: [{type: s32, value: 0}, {type: u32, value: 803}]}
"""


def test_a_profile_with_overlapping_points(tmp_path, where):
    (tmp_path / "mine.yaml").write_text(OVERLAP)
    change(tmp_path, "profile: sunspec,", "profile: mine,")
    refused(tmp_path, "mine.yaml:9:", "u16 at 101 lies on battery_power_w at 100")


def test_a_foreign_database_is_put_aside_and_kept(tmp_path, where):
    """A site must run: the file is renamed, nothing of it is lost, and the new chain begins with a gap."""
    with sqlite3.connect(tmp_path / "store.db") as conn:
        conn.execute("CREATE TABLE holiday (photo)")
        conn.execute("INSERT INTO holiday VALUES ('beach')")
    conn.close()
    with daemon(tmp_path) as site:
        site.ready()
        assert site.end() == 0
    assert stage.rows(tmp_path / "store.db.aside-1", "SELECT photo FROM holiday") == [("beach",)]
    ((cause,),) = stage.rows(tmp_path / "store.db", "SELECT cause FROM gap")
    assert cause == "database set aside"


def test_a_database_of_a_newer_gridseal_stays_where_it_is(tmp_path, where):
    with daemon(tmp_path) as site:
        site.ready()
        assert site.end() == 0
    with sqlite3.connect(tmp_path / "store.db") as conn:
        conn.execute("PRAGMA user_version = 99")
    conn.close()
    before = (tmp_path / "store.db").read_bytes()
    writes = Rig(tmp_path).state()["writes"]
    done = gridseal(tmp_path, "run", "site.yaml")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "newer Gridseal" in done.stderr and "install that version again" in done.stderr
    assert (tmp_path / "store.db").read_bytes() == before
    assert Rig(tmp_path).state()["writes"] == writes


def with_chain(folder: Path, where: dict[str, Any], node: dict[str, Any], **changes: Any) -> None:
    text = stage.site(where, stage.chain(node | changes, changes.pop("storage", 1)))
    (folder / "site.yaml").write_text(text)
    stage.new_key(folder)


def test_an_rpc_of_another_chain(tmp_path, where, node):
    with_chain(tmp_path, where, node, chain_id=10)
    refused(tmp_path, "serves chain 31337, but chain.id is 10")


def test_a_contract_address_without_code(tmp_path, where, node):
    with_chain(tmp_path, where, node, contracts=node["contracts"] | {"services": NOWHERE})
    refused(tmp_path, f"chain.contracts: {NOWHERE} has no code on chain 31337")


def test_a_passphrase_that_does_not_open_the_key(tmp_path, where, node):
    with_chain(tmp_path, where, node)
    (tmp_path / "passphrase").write_text("guess\n")
    refused(tmp_path, "key.json: the passphrase does not open this keystore")
    assert not (tmp_path / "store.db").exists()


def test_a_key_that_is_not_there(tmp_path, where, node):
    with_chain(tmp_path, where, node)
    (tmp_path / "key.json").unlink()
    refused(tmp_path, "key.json", "gridseal keys new")
    assert not (tmp_path / "store.db").exists()


def test_a_key_that_is_not_the_storages(tmp_path, where, node):
    """Another gateway's key is bound to the storage that site.yaml names."""

    async def bind() -> int:
        async with stage.market(node, STRANGER) as (_, storage):
            return storage

    storage = asyncio.run(bind())
    with_chain(tmp_path, where, node, storage=storage)
    refused(tmp_path, f"chain.storage: storage {storage}", STRANGER.address.lower(), "setGatewayKey")


def test_a_key_that_did_not_sign_the_stored_chain(tmp_path, where):
    stage.new_key(tmp_path)
    text = stage.site(where, "attest: {every: 2 s, key: key.json, passphrase: passphrase}\n")
    (tmp_path / "site.yaml").write_text(text)
    with daemon(tmp_path) as site:
        until((tmp_path / "control.sock").exists, "up")
        until(lambda: site.status()["records"]["signed"], "a signed record")
        assert site.end() == 0
    writes = Rig(tmp_path).state()["writes"]
    stage.new_key(tmp_path, b"\x5b" * 32)
    done = gridseal(tmp_path, "run", "site.yaml")
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "attest.key" in done.stderr and "give store.path another file" in done.stderr
    assert Rig(tmp_path).state()["writes"] == writes
    assert stage.rows(tmp_path / "store.db", "SELECT count(*) > 0 FROM record") == [(1,)]
