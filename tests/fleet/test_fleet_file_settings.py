"""fleet.yaml: what it means, and every mistake with its line."""

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.fleet import file
from gateway.fleet.settings import Pace
from gateway.site import Keystore

HEAD = """\
chain:
  id: 10
  rpc: ["https://a.example", "https://b.example"]
  contract: "0x00000000000000000000000000000000000000AA"
key: key.json
"""
SITES = """\
sites:
  meadow-lane-7: {url: "https://10.8.0.7:8470/", gateway: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}
  mill: {url: "http://mill:8470", gateway: "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359", token: mill.token,
    ca: ca.pem, contract: "0x00000000000000000000000000000000000000bb"}
"""


def loaded(tmp_path: Path, text: str):
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    return file.load(path)


def wrong(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as found:
        loaded(tmp_path, text)
    return [f"{p.line}: {p.message}" for p in found.value.problems]


def test_a_fleet(tmp_path):
    fleet = loaded(tmp_path, HEAD + SITES)
    one, two = fleet.sites
    assert (one.name, one.url, one.contract) == (
        "meadow-lane-7",
        "https://10.8.0.7:8470",
        "0x" + "0" * 38 + "aa",
    )
    assert (one.token, one.ca) == (None, None)
    assert two.gateway == "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"
    assert (two.token, two.ca) == (tmp_path / "mill.token", tmp_path / "ca.pem")
    assert sorted(fleet.chain.contracts) == ["0x" + "0" * 38 + "aa", "0x" + "0" * 38 + "bb"]
    assert fleet.key.source == Keystore(tmp_path / "key.json")
    assert (fleet.pace, fleet.poll_ms, fleet.a_day) == (Pace(100, 300_000), 60_000, 200)
    assert (fleet.chain.confirmations, fleet.trust_host_clock) == (12, False)


def test_what_may_be_chosen(tmp_path):
    fleet = loaded(
        tmp_path,
        HEAD.replace("id: 10", 'id: 1\n  spend: 0.5 ether\n  "fee cap": 3 gwei\n  confirmations: 3')
        + "batch: {records: 20, wait: 1 min, site: 50}\npoll: 10 s\nclock: {trust: host}\n" + SITES,
    )  # fmt: skip
    assert (fleet.pace, fleet.poll_ms, fleet.a_day) == (Pace(20, 60_000), 10_000, 50)
    chain = fleet.chain
    assert (chain.chain_id, chain.confirmations, chain.fee_cap_wei) == (1, 3, 3 * 10**9)
    assert chain.spend_per_day_wei == 5 * 10**17
    assert fleet.trust_host_clock


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "1: 'sites' is missing"),
        (HEAD + "sites: {}\n", "6: sites: needs at least 1, has 0"),
        (HEAD.replace("key: key.json\n", "") + SITES, "1: 'key' is missing"),
        (HEAD + SITES.replace("http://mill", "mqtt://mill"), "8: 'mqtt://mill:8470' is not an http(s) URL"),
        (HEAD + SITES.replace("//mill", "//ada:pw@mill"), "8: 'http://ada:pw@mill:8470': only scheme"),
        (HEAD + SITES.replace("meadow-lane-7", "meadow lane"), "7: "),
        (HEAD + "batch: {records: 5000}\n" + SITES, "6: records: must be less than or equal to 110"),
        (HEAD.replace('"https://b.example"', '"https://a.example"') + SITES, "3: the same endpoint"),
        (HEAD + SITES.replace("0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359",
         "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed").replace(
         "    ca: ca.pem, contract: \"0x00000000000000000000000000000000000000bb\"}", "    ca: ca.pem}"),
         "8: 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed is the key of 'meadow-lane-7' already"),
        (HEAD + SITES + "site: {}\n", "10: unknown key 'site'"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_line(tmp_path, text, said):
    assert any(line.startswith(said) for line in wrong(tmp_path, text)), wrong(tmp_path, text)
