"""`attest:` of site.yaml: paths relative to it, the same mistakes told at their line, no secret in it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.keyfile import AttestModel, settings
from gateway.site import AttestSettings, Credential, KeySettings, Keystore, TokenKey

HERE = Path("/etc/gridseal")


def meant(**said) -> AttestSettings:
    return settings(AttestModel.model_validate(said), HERE)


def test_nothing_said_is_no_key_and_a_quarter_of_an_hour() -> None:
    assert meant() == AttestSettings(900, None)


def test_paths_are_relative_to_the_file() -> None:
    assert meant(key="key.json", passphrase="p", every="1 min") == AttestSettings(
        60, KeySettings(Keystore(HERE / "key.json"), HERE / "p")
    )
    assert meant(key="/k/key.json").key == KeySettings(Keystore(Path("/k/key.json")))
    assert meant(key="credential:k").key == KeySettings(Credential("k"))
    uri = "pkcs11:token=t;object=k?module-path=/lib/p11.so"
    token = TokenKey(Path("/lib/p11.so"), "t", object="k")
    assert meant(key=uri, pin="pin").key == KeySettings(token, pin=HERE / "pin")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"key": ""}, "a path, credential:NAME or pkcs11:"),
        ({"key": "pkcs11:token=t?module-path=/x&pin-value=1"}, "PIN is not for the URI"),
        ({"secret": "x"}, "Extra inputs"),
    ],
)
def test_mistakes_are_told(said, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        meant(**said)
