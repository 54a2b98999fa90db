"""`gridseal register`: what it prints, sent by an owner to the real contract, registers the site."""

import json

import pytest
from contracts.inprocess import Local

from gateway import cli
from gateway.analytics.tally import Tally
from gateway.store import performance
from tests.gateway.stores import opened

SITE = """\
site:
  id: meadow
  limits: {{charge: 5 kW, discharge: 6 kW, grid import: 17 kW, grid export: 5 kW}}
devices: {{inverter: {{profile: sunspec, link: "tcp://127.0.0.1:502"}}}}
store: {{path: store.db}}
attest: {{key: key.json}}
chain:
  id: 31337
  rpc: ["http://a.example", "http://b.example"]
  platform: {platform}
  contracts: {contracts}
  {asset}: 1
"""
SYSTEMS = {  # platform: the name of the id, its contracts by role (the first takes evidence)
    "storage": ("storage", ("verification", "services"), "StorageVerification", "storageCount"),
    "microgrid": ("member", ("production", "consumption", "balancing"), "MicrogridProduction", "memberCount"),
    "meter": ("meter", ("meter", "management"), "SmartMeter", "meterCount"),
    "registry": ("microgrid", ("devices", "balance"), "DeviceRegistry", "microgridCount"),
}


def write(folder, platform, contract):
    asset, roles, *_ = SYSTEMS[platform]
    contracts = json.dumps(dict.fromkeys(roles, "0x" + "0b" * 20) | {roles[0]: contract})
    path = folder / "site.yaml"
    path.write_text(SITE.format(platform=platform, contracts=contracts, asset=asset))
    return path


def printed(capsys, *words):
    assert cli.main(["register", *map(str, words)]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("platform", SYSTEMS)
def test_an_owner_registers_by_it(platform, tmp_path, capsys):
    chain = Local()
    owner = chain.accounts[1]
    *_, name, count = SYSTEMS[platform]
    contract, _ = chain.deploy(name, chain.accounts[0], 2)
    path = write(tmp_path, platform, contract.address)
    said = printed(capsys, path, "--owner", owner, "--capacity", "10 kWh", "--location", "Meadow Lane 7")
    assert (said["from"], said["to"]) == (owner, contract.address)
    chain.send(said["to"], bytes.fromhex(said["data"][2:]), sender=owner)
    assert contract.call(count) == 1
    assert contract.call("ownerOf", 1) == owner.lower()
    if platform == "storage":
        specs = contract.call("getStorageDetails", 1)[2]
        assert specs == (10 * 10**18, 6 * 10**18, 90, "Meadow Lane 7", "LITHIUM_ION")


async def test_without_a_capacity_it_is_what_the_devices_said_last(tmp_path, capsys):
    path = write(tmp_path, "storage", "0x" + "0a" * 20)
    words = (path, "--owner", "0x" + "0c" * 20)
    assert cli.main(["register", *map(str, words)]) == 1
    assert "give --capacity" in capsys.readouterr().err
    async with opened(tmp_path / "store.db") as (store, _):
        await store.call(performance.put, Tally(0, 900_000, rated_wh=9_600))
    assert f"{9600 * 10**15:064x}" in printed(capsys, *words)["data"]


@pytest.mark.parametrize(
    ("words", "ends", "said"),
    [(("--owner", "me"), 1, "is not an address"), (("--owner", "me", "--capacity", "10"), 2, "no unit")],
)
def test_what_is_wrong_is_one_line(tmp_path, capsys, words, ends, said):
    path = write(tmp_path, "storage", "0x" + "0a" * 20)
    try:
        code = cli.main(["register", str(path), *words])
    except SystemExit as end:
        code = end.code
    assert code == ends
    assert said in capsys.readouterr().err


def test_a_site_without_a_chain_has_nothing_to_be_registered_with(tmp_path, capsys):
    path = write(tmp_path, "storage", "0x" + "0a" * 20)
    path.write_text(path.read_text().partition("chain:")[0])
    assert cli.main(["register", str(path), "--owner", "0x" + "0c" * 20]) == 1
    assert "no `chain:`" in capsys.readouterr().err
