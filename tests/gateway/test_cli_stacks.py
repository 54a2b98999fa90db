"""`gridseal check|register|keys prove` for a site on Stacks: what is printed, and what is wrong."""

import json

import pytest

from gateway import cli
from gateway.chain.platforms import platform
from gateway.chain.stacks.address import TESTNET_ID, of_key
from gateway.chain.stacks.codec import UInt, Utf8, decode
from gateway.config import load
from gateway.evidence import possession, records
from gateway.evidence.signer import KeySigner, make_keystore
from gateway.evidence.typed import Domain
from gateway.principal import Principal, parse
from tests.gateway.cli_bench import write

KEY = KeySigner(b"\x01" * 32)
DEPLOYER, OWNER = Principal(26, b"\x07" * 20), str(Principal(26, b"\x08" * 20))
NAMES = {
    "facility": "facility-verification", "records": "record-chain", "capacity": "capacity-tracking",
    "actions": "charge-discharge", "services": "grid-services",
}  # fmt: skip


def contracts(address: Principal | str = DEPLOYER, **other: str) -> str:
    named = {role: f"{address}.{name}" for role, name in NAMES.items()} | other
    return json.dumps({role: text for role, text in named.items() if text})


def site(folder, **changed: str):
    """site.yaml of a Stacks site in `folder`; its path."""
    said = {
        "platform": "stacks", "network": "testnet", "facility": "3", "contracts": contracts(),
        "api": '["https://one.example", "https://two.example"]',
    } | changed  # fmt: skip
    (folder / "key.json").write_bytes(make_keystore(b"\x01" * 32, b"w", 2))
    (folder / "words").write_text("w\n")
    path = write(folder)
    chain = "".join(f"  {name}: {value}\n" for name, value in said.items() if value)
    more = f"attest: {{key: key.json, passphrase: words}}\nclock: {{trust: host}}\nchain:\n{chain}"
    path.write_text(path.read_text() + more)
    return path


def failed(capsys, *words: object) -> str:
    assert cli.main([str(w) for w in words]) == 1
    return capsys.readouterr().err


def test_a_right_one_is_right(tmp_path, capsys):
    path = site(tmp_path)
    assert cli.main(["check", str(path)]) == 0
    capsys.readouterr()
    chain = load(path).chain
    assert (chain.chain_id, chain.asset_id, chain.platform) == (TESTNET_ID, 3, "stacks")
    assert (chain.poll_ms, chain.confirmations) == (15_000, 6)
    assert chain.fee_cap_wei * 1000 < chain.spend_per_day_wei < 10**8, "microSTX"


@pytest.mark.parametrize(
    ("changed", "where", "words"),
    [
        ({"contracts": contracts(facility="ST" + "0" * 38 + ".x")}, "contracts", "mistyped"),
        (
            {"contracts": contracts(records=str(DEPLOYER))},
            "contracts",
            "is an address; a contract",
        ),
        ({"contracts": contracts(records="0x" + "0b" * 20)}, "contracts", "no Stacks address"),
        ({"contracts": contracts(services="")}, "contracts", "missing"),
        ({"contracts": contracts(serv="x")}, "contracts", "services"),
        (
            {"contracts": contracts(capacity=f"{Principal(22, bytes(20))}.c")},
            "contracts",
            "is on mainnet, but network is testnet",
        ),
        (
            {"contracts": contracts(capacity=f"{Principal(5, bytes(20))}.c")},
            "contracts",
            "is on no network, but network is testnet",
        ),
        ({"network": "mainnet"}, "contracts", "is on testnet, but network is mainnet"),
        ({"network": "devnet"}, "network", "mainnet"),
        ({"api": '["https://one.example"]'}, "api", "at least 2"),
        ({"api": '["https://a.example", "https://a.example"]'}, "api", "so that one cannot lie"),
        ({"api": '["ftp://a.example", "https://b.example"]'}, "api", "not an http(s) URL"),
        ({"api": ""}, "chain", "missing"),
        ({"facility": "0"}, "facility", "greater than or equal to 1"),
        ({"fee cap": "3 gwei"}, "fee cap", "uSTX"),
        ({"rpc": '["https://one.example"]'}, "rpc", "unknown key 'rpc'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, capsys, changed, where, words):
    path = site(tmp_path, **changed)
    said = failed(capsys, "check", path)
    line = next(
        n for n, text in enumerate(path.read_text().split("\n"), 1) if text.strip().startswith(f"{where}:")
    )
    assert said.startswith(f"gridseal: {path}:{line}:")
    assert words in said


def test_the_owners_two_calls(tmp_path, capsys):
    path = site(tmp_path)
    words = ["--owner", OWNER, "--capacity", "10 kWh", "--location", "Müller, Lane 7"]
    assert cli.main(["register", str(path), *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["from"], said["contract"], said["functionName"]) == (
        OWNER, f"{DEPLOYER}.facility-verification", "register-facility",
    )  # fmt: skip
    given = [decode(bytes.fromhex(a[2:])) for a in said["functionArgs"]]
    assert given == [UInt(10_000), UInt(5000), Utf8("Müller, Lane 7")]

    assert cli.main(["keys", "prove", str(path), "--owner", OWNER, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    call = json.loads(said["call"])
    facility, key, name, consent = (decode(bytes.fromhex(a[2:])) for a in call["functionArgs"])
    assert (call["contract"], call["functionName"]) == (f"{DEPLOYER}.record-chain", "set-gateway-key")
    assert (facility, key, said["account"]) == (UInt(3), KEY.public_key[1:], str(of_key(KEY.public_key, 26)))
    assert ("0x" + name.hex(), "0x" + consent.hex()) == (said["site"], said["possession"])
    contract = platform(load(path).chain).evidence_contract
    digest = possession.digest(Domain(TESTNET_ID, contract), "0x" + parse(OWNER).hash.hex(), 3, load(path).id)
    assert records.recover(digest, consent) == KEY.address


def test_an_owner_of_several_keys(tmp_path, capsys):
    owner = str(Principal(21, b"\x08" * 20))
    assert cli.main(["register", str(site(tmp_path)), "--owner", owner, "--capacity", "1 kWh"]) == 0
    assert json.loads(capsys.readouterr().out)["from"] == owner


@pytest.mark.parametrize("owner", ["0x" + "0c" * 20, str(Principal(22, bytes(20))), f"{OWNER}.x", OWNER[:-1]])
def test_an_owner_that_is_none_here_is_one_line(tmp_path, capsys, owner):
    path = site(tmp_path)
    for words in (["register", path, "--capacity", "1 kWh"], ["keys", "prove", path]):
        words += ["--owner", owner]
        said = failed(capsys, *words)
        assert said.count("\n") == 1
        assert "--owner: " in said


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "give --capacity"), (("--capacity", "1 kWh", "--location", "x" * 101), "room for 100 letters")],
)
def test_what_the_contract_has_no_room_for(tmp_path, capsys, words, said):
    assert said in failed(capsys, "register", site(tmp_path), "--owner", OWNER, *words)


def test_a_key_that_is_handed_over_to_wants_money_in_its_own_account(tmp_path, capsys):
    path = site(tmp_path)
    (tmp_path / "next.json").write_bytes(make_keystore(b"\x02" * 32, b"w", 2))
    following = "passphrase: words, next: {key: next.json, passphrase: words}}"
    path.write_text(path.read_text().replace("passphrase: words}", following) + "store: {path: store.db}\n")
    assert cli.main(["keys", "rotate", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    account = str(of_key(KeySigner(b"\x02" * 32).public_key, 26))
    assert said["then"].startswith(f"give {account} some money")
