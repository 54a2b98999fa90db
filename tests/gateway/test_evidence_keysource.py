"""Where a key is, as people write it: three forms, and everything else refused in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence.keysource import parse
from gateway.site import Credential, Keystore, TokenKey

MODULE = "?module-path=/usr/lib/softhsm/libsofthsm2.so"
LIB = Path("/usr/lib/softhsm/libsofthsm2.so")


def test_the_three_forms() -> None:
    assert parse("key.json") == Keystore(Path("key.json"))
    assert parse("/etc/gridseal/key.json") == Keystore(Path("/etc/gridseal/key.json"))
    assert parse("credential:gridseal-key") == Credential("gridseal-key")
    assert parse(f"pkcs11:token=grid%20seal;object=k%C3%A9y{MODULE}") == TokenKey(
        LIB, "grid seal", object="kéy"
    )
    assert parse(f"pkcs11:serial=a93c;id=%01%FF{MODULE}") == TokenKey(LIB, serial="a93c", id=b"\x01\xff")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "1 to 512"),
        ("x" * 513, "1 to 512"),
        ("credential:", "credential's name"),
        ("credential:../etc/passwd", "credential's name"),
        ("pkcs11:", "module-path"),
        ("pkcs11:token=t;object=k", "module-path"),
        ("pkcs11:token=t;object=k?module-path=lib.so", "module-path"),
        (f"pkcs11:object=k{MODULE}", "needs token="),
        (f"pkcs11:token=t{MODULE}", "needs object="),
        (f"pkcs11:token=t;object=k;type=private{MODULE}", "'type' is none of"),
        (f"pkcs11:token=t;token=u;object=k{MODULE}", "twice"),
        (f"pkcs11:token=t;object{MODULE}", "'object' is none of"),
        (f"pkcs11:token=%zz;object=k{MODULE}", "two hex digits"),
        (f"pkcs11:token=%ff;object=k{MODULE}", "not UTF-8"),
        (f"pkcs11:token=t;object=k{MODULE}&pin-value=1234", "PIN is not for the URI"),
        (f"pkcs11:token=t;object=k{MODULE}&pin-source=file:/p", "PIN is not for the URI"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse(text)
    assert "\n" not in str(caught.value) and "1234" not in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_a_source_or_one_error(text: str) -> None:
    for whole in (text, "pkcs11:" + text, "credential:" + text):
        try:
            parse(whole)
        except ValueError as error:
            assert str(error)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20), st.binary(max_size=8))
def test_a_token_key_is_read_back_from_what_it_shows(token: str, name: str, identity: bytes) -> None:
    key = TokenKey(LIB, token, "", name, identity)
    assert parse(str(key) + MODULE) == key
