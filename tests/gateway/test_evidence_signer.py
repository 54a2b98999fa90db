"""Keystores open or say in one line why not; signatures are what contracts take."""

import json

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.evidence import signer
from gateway.evidence import token as tokens
from gateway.evidence.records import recover
from gateway.evidence.signer import (
    PASSPHRASE,
    KeySigner,
    make_keystore,
    open_keystore,
    open_signer,
    read_passphrase,
)
from gateway.site import Credential, KeySettings, Keystore
from tests.gateway import softhsm

SECRET = b"\x01" * 32
ROUNDS = 1000  # weak on purpose: tests need no strength


@pytest.fixture
def opened(tmp_path):
    (tmp_path / "key.json").write_bytes(make_keystore(SECRET, b"correct horse", ROUNDS))
    (tmp_path / "pass").write_text("correct horse\nsecond line is not read\n")
    return tmp_path


def refusal(folder) -> str:
    with pytest.raises(ConfigError) as caught:
        open_keystore(folder / "key.json", folder / "pass")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_keystore_opens_to_its_key_and_other_software_opens_it_too(opened) -> None:
    key = open_keystore(opened / "key.json", opened / "pass")
    account = Account.from_key(SECRET)
    assert key.address == account.address
    assert key.public_key == b"\x04" + account._key_obj.public_key.to_bytes()
    assert Account.decrypt((opened / "key.json").read_text(), "correct horse") == SECRET


@given(st.binary(min_size=32, max_size=32))
def test_signatures_are_deterministic_low_and_the_same_as_another_signers(digest) -> None:
    signature = KeySigner(SECRET).sign(digest)
    other = Account.unsafe_sign_hash(digest, SECRET)
    assert signature == bytes(other.signature)
    assert len(signature) == 65 and signature[64] in (27, 28)


def test_the_secret_is_in_no_repr() -> None:
    key = KeySigner(SECRET)
    assert repr(key) == f"KeySigner({key.address})"
    assert SECRET.hex() not in repr(vars(type(key))) + repr(key)


def test_a_wrong_passphrase_is_said(opened) -> None:
    (opened / "pass").write_text("wrong horse\n")
    assert "passphrase does not open" in refusal(opened)


def test_a_file_of_another_user_is_not_to_be_made_anew(opened, monkeypatch) -> None:
    """Made by root for a daemon that is not root: another key would be the worst way out."""

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(signer.Path, "open", forbidden)
    assert "give the file to the user that gridseal runs as" in refusal(opened)


def test_missing_files_are_said_with_what_to_do(opened) -> None:
    (opened / "pass").unlink()
    assert "cannot read the passphrase" in refusal(opened)
    (opened / "key.json").unlink()
    assert "gridseal keys new" in refusal(opened)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 4},
        {"crypto": None},
        {"crypto": {"kdf": "rot13", "kdfparams": {}}},
        {"crypto": {"kdf": "pbkdf2", "kdfparams": {}}},
        {"crypto": {"kdf": "pbkdf2", "kdfparams": {"c": 1}}},
        {"crypto": {"kdf": "scrypt", "kdfparams": {"n": "many", "r": 8}}},
    ],
)
def test_a_file_that_is_no_usable_keystore_is_said(opened, change) -> None:
    store = json.loads((opened / "key.json").read_text()) | change
    (opened / "key.json").write_text(json.dumps(store))
    assert "Keystore V3" in refusal(opened)


def test_junk_and_oversize_files_are_said(opened) -> None:
    for junk in (b"", b"[]", b"\xff\x00", b"[" * 9000):
        (opened / "key.json").write_bytes(junk)
        assert "not a Keystore V3 file" in refusal(opened)
    (opened / "key.json").write_bytes(b" " * 20_000)
    assert "too long for a keystore" in refusal(opened)


@pytest.mark.parametrize("parameters", [("scrypt", {"n": 2**18, "r": 8, "p": 1}), ("pbkdf2", {"c": 10**9})])
def test_a_keystore_too_heavy_for_a_small_computer_is_refused_before_it_is_tried(opened, parameters) -> None:
    store = json.loads((opened / "key.json").read_text())
    store["crypto"]["kdf"], store["crypto"]["kdfparams"] = parameters
    (opened / "key.json").write_text(json.dumps(store))
    assert "more memory or time than a gateway has" in refusal(opened)


def test_a_light_scrypt_keystore_from_elsewhere_opens(opened) -> None:
    store = Account.encrypt(SECRET, "correct horse", kdf="scrypt", iterations=1024)
    (opened / "key.json").write_text(json.dumps(store))
    assert open_keystore(opened / "key.json", opened / "pass").address == KeySigner(SECRET).address


def test_a_keystore_that_claims_another_address_is_refused(opened) -> None:
    store = json.loads((opened / "key.json").read_text())
    (opened / "key.json").write_text(json.dumps(store | {"address": "00" * 20}))
    assert "but holds the key of" in refusal(opened)


def test_a_keystore_that_holds_no_key_is_refused(opened) -> None:
    store = json.loads(make_keystore(SECRET, b"correct horse", ROUNDS))
    store["crypto"]["ciphertext"] = "00"
    (opened / "key.json").write_text(json.dumps(store))
    assert "passphrase does not open" in refusal(opened)  # the MAC covers the ciphertext


def test_the_passphrase_may_be_a_systemd_credential(opened, monkeypatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match=PASSPHRASE):
        read_passphrase(opened / "key.json", None)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(opened))
    (opened / PASSPHRASE).write_bytes(b"correct horse\r\n")
    keystore = KeySettings(Keystore(opened / "key.json"))
    assert open_signer(keystore).address == KeySigner(SECRET).address
    (opened / PASSPHRASE).write_bytes(b"\n")
    with pytest.raises(ConfigError, match="empty"):
        read_passphrase(opened / "key.json", None)


def test_the_key_itself_may_be_a_systemd_credential(tmp_path, monkeypatch) -> None:
    key = KeySettings(Credential("gridseal-key"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="no credentials by systemd"):
        open_signer(key)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match="keys new credential:gridseal-key"):
        open_signer(key)
    (tmp_path / "gridseal-key").write_text(SECRET.hex() + "\n")
    assert open_signer(key).address == KeySigner(SECRET).address


@pytest.mark.parametrize("text", ["", "00" * 32, "zz" * 32, "01" * 31, "01" * 33, "\xff" * 64, " " * 66])
def test_a_credential_that_holds_no_key_is_refused_and_not_shown(tmp_path, monkeypatch, text: str) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "k").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError) as caught:
        open_signer(KeySettings(Credential("k")))
    assert "64 hex digits" in str(caught.value) and (not text.strip() or text not in str(caught.value))
    assert caught.value.__suppress_context__, "the error under it would show what the file holds"


def test_a_token_is_opened_with_the_pin_of_its_file_or_credential(tmp_path, monkeypatch) -> None:
    with softhsm.token(tmp_path) as hsm:
        tokens.make(hsm.place("k"), softhsm.PIN.encode(), tokens.SECP256K1)
        with_file = open_signer(KeySettings(hsm.place("k"), pin=hsm.pin))
        (tmp_path / "gridseal-pin").write_text(softhsm.PIN)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        with_credential = open_signer(KeySettings(hsm.place("k")))
        assert with_file.address == with_credential.address
        assert recover(b"\x07" * 32, with_file.sign(b"\x07" * 32)) == with_file.address


def test_new_keystores_are_as_strong_as_stated() -> None:
    assert signer.PBKDF2_ROUNDS >= 600_000
    made = json.loads(make_keystore(SECRET, b"x", ROUNDS))
    assert made["crypto"]["kdf"] == "pbkdf2"


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
def test_a_number_that_is_no_key_is_refused(opened, monkeypatch, secret: bytes) -> None:
    monkeypatch.setattr("eth_keyfile.keyfile.decode_keyfile_json", lambda store, words: secret)
    assert "not a secp256k1 key" in refusal(opened)


def test_a_keystore_need_not_name_its_address(opened) -> None:
    store = json.loads((opened / "key.json").read_text())
    del store["address"]
    (opened / "key.json").write_text(json.dumps(store))
    assert open_keystore(opened / "key.json", opened / "pass").address == KeySigner(SECRET).address
