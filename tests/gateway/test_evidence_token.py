"""Keys on a PKCS#11 token: made there, never readable, refused in one line, and found again after a loss."""

import threading

import coincurve
import pytest

from gateway.errors import ConfigError, LinkError
from gateway.evidence import token as tokens
from gateway.evidence.records import recover
from gateway.evidence.signer import TokenSigner
from gateway.evidence.token import P256, SECP256K1, Token, Worker
from gateway.site import TokenKey
from tests.gateway import softhsm

PIN = softhsm.PIN.encode()
DIGEST = bytes(range(32))


@pytest.fixture
def hsm(tmp_path):
    with softhsm.token(tmp_path) as made:
        yield made


@pytest.fixture
def key(hsm) -> Token:
    tokens.make(hsm.place("k1"), PIN, SECP256K1)
    return Token(hsm.place("k1"), PIN, SECP256K1)


def test_a_key_made_on_the_token_signs_as_contracts_take_it(key) -> None:
    signer = TokenSigner(key)
    made = {signer.sign(DIGEST) for _ in range(12)}
    assert {recover(DIGEST, signature) for signature in made} == {signer.address}  # refuses a high s
    assert len(made) == 12, "no two are the same: they must be stored, not made again"
    assert coincurve.PublicKey(signer.public_key).format(compressed=False) == signer.public_key


def test_the_private_half_cannot_be_read(hsm, key) -> None:
    import pkcs11

    private = key._key
    attribute = pkcs11.Attribute
    assert private[attribute.NEVER_EXTRACTABLE] and private[attribute.ALWAYS_SENSITIVE]
    with pytest.raises(pkcs11.AttributeSensitive):
        private[attribute.VALUE]


def test_neither_pin_nor_key_is_in_a_repr(key) -> None:
    assert repr(key) == "Token(pkcs11:token=gridseal;object=k1)"
    assert repr(TokenSigner(key)) == f"TokenSigner({TokenSigner(key).address})"


def test_a_key_is_never_overwritten(hsm, key) -> None:
    with pytest.raises(ConfigError, match="never overwritten"):
        tokens.make(hsm.place("k1"), PIN, SECP256K1)
    with pytest.raises(ConfigError, match="never overwritten"):
        tokens.make(hsm.place("k1"), PIN, P256)


def test_a_token_that_was_unplugged_is_said_and_found_again(hsm, key) -> None:
    signer = TokenSigner(key)
    hsm.pull()
    key._session.close()  # as a removed token's sessions are
    for _ in range(2):
        with pytest.raises(LinkError, match="no such token is here"):
            signer.sign(DIGEST)
    hsm.plug()
    assert recover(DIGEST, signer.sign(DIGEST)) == signer.address


def test_a_session_that_was_lost_is_made_again_at_once(hsm, key) -> None:
    signer = TokenSigner(key)
    hsm.forget()  # the module forgets its sessions, as after a reset of the reader
    assert recover(DIGEST, signer.sign(DIGEST)) == signer.address


def test_another_key_in_its_place_is_not_used(hsm, key) -> None:
    signer = TokenSigner(key)
    import pkcs11

    with pkcs11.lib(str(hsm.module)).get_token(token_label=hsm.label).open(rw=True) as session:
        for half in list(session.get_objects({pkcs11.Attribute.LABEL: "k1"})):
            half.destroy()
    tokens.make(hsm.place("k1"), PIN, SECP256K1)
    hsm.forget()
    with pytest.raises(LinkError, match="another key, than at the start"):
        signer.sign(DIGEST)


def test_a_wrong_pin_is_tried_once_and_then_only_by_hand(hsm, key) -> None:
    """systemd starts the daemon for ever: three tries lock a token, and take it a quarter of a minute."""
    hsm.forget()
    with pytest.raises(ConfigError, match="PIN does not open this token"):
        Token(hsm.place("k1"), b"000000", SECP256K1)
    with pytest.raises(ConfigError, match="prove it by hand") as refused:
        Token(hsm.place("k1"), PIN, SECP256K1)
    assert "246810" not in str(refused.value) and "\n" not in str(refused.value)
    assert Token(hsm.place("k1"), PIN, SECP256K1, by_hand=True).public_key == key.public_key
    hsm.forget()
    assert Token(hsm.place("k1"), PIN, SECP256K1).public_key == key.public_key


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"object": "other"}, ConfigError, "no such key"),
        ({"token": "other"}, LinkError, "no such token"),
        ({"serial": "0123"}, LinkError, "no such token"),
        ({"id": b"\x07"}, ConfigError, "no such key"),
        ({"module": "/nowhere/lib.so"}, ConfigError, "PKCS#11 module cannot be used"),
    ],
)
def test_what_is_not_there_is_said(hsm, key, change, error, words) -> None:
    place = TokenKey(**{"module": hsm.module, "token": hsm.label, "object": "k1"} | change)
    with pytest.raises(error, match=words) as caught:
        Token(place, PIN, SECP256K1)
    assert "\n" not in str(caught.value)


def test_the_curve_must_be_the_wanted_one(hsm, key) -> None:
    tokens.make(hsm.place("p"), PIN, P256)
    assert len(Token(hsm.place("p"), PIN, P256).sign(DIGEST)) == 64
    with pytest.raises(ConfigError, match="a key on P-256, not on secp256k1"):
        Token(hsm.place("p"), PIN, SECP256K1)


def test_a_key_that_can_be_taken_off_the_token_is_refused(hsm) -> None:
    import pkcs11

    with (
        pkcs11.lib(str(hsm.module)).get_token(token_label=hsm.label).open(rw=True, user_pin=softhsm.PIN) as s
    ):
        s.create_domain_parameters(
            pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: bytes.fromhex(SECP256K1)}, local=True
        ).generate_keypair(store=True, label="loose", private_template={pkcs11.Attribute.EXTRACTABLE: True})
    with pytest.raises(ConfigError, match="can be taken off"):
        Token(hsm.place("loose"), PIN, SECP256K1)


def test_a_call_that_hangs_is_given_up_and_none_queues_behind_it() -> None:
    worker, free = Worker("pkcs11:token=slow", call_s=0.05), threading.Event()
    with pytest.raises(LinkError, match="does not answer within"):
        worker.call(lambda: free.wait(30))
    with pytest.raises(LinkError, match="still does not answer"):
        worker.call(lambda: 1)
    free.set()
    late = worker._late
    assert late is not None and late.result(30)
    assert worker.call(lambda: 2) == 2


def test_what_a_call_raises_reaches_its_caller() -> None:
    def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        Worker("pkcs11:token=t").call(fails)


@pytest.mark.parametrize("encoded", [b"", b"\x04\x41" + bytes(65), b"\x02" + bytes(64), bytes(66)])
def test_a_point_that_is_not_uncompressed_is_refused(encoded) -> None:
    with pytest.raises(ConfigError, match="not an uncompressed point"):
        tokens.point(encoded)


def test_without_its_extra_a_token_is_refused_with_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pkcs11", None)
    with pytest.raises(ConfigError, match=r"gridseal\[pkcs11\]"):
        tokens.library()


def test_a_signature_by_another_key_is_not_given_out(hsm, key) -> None:
    signer = TokenSigner(key)
    signer.public_key = coincurve.PrivateKey(b"\x02" * 32).public_key.format(compressed=False)
    with pytest.raises(LinkError, match="not by its key"):
        signer.sign(DIGEST)
