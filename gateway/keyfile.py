"""`attest:` of site.yaml: how often, and where the site's key is kept, as models and as what they mean."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from gateway.evidence import keysource
from gateway.site import AttestSettings, KeySettings, Keystore
from gateway.sitetypes import Long, Strict


def _key(text: str) -> str:
    keysource.parse(text)  # its ValueError is the problem's text
    return text


class KeyModel(Strict):
    """A key; `gridseal keys new` makes it."""

    key: Annotated[str, AfterValidator(_key)] | None = Field(
        default=None,
        description="an encrypted keystore's path, credential:NAME (of systemd), or"
        " pkcs11:token=…;object=…?module-path=/…",
    )
    passphrase: Path | None = Field(
        default=None, description="of a keystore: its file; without it the credential gridseal-passphrase"
    )
    pin: Path | None = Field(
        default=None, description="of a token: its file; without it the credential gridseal-pin"
    )


class AttestModel(KeyModel):
    every: Long = 900_000
    next: KeyModel | None = Field(
        default=None, description="the key that goes on after `gridseal keys rotate`; later it becomes `key`"
    )

    identity: KeyModel | None = Field(
        default=None, description="a P-256 key on a token (pkcs11:…), which vouches for the site's key"
    )

    @field_validator("identity")
    @classmethod
    def _on_a_token(cls, found: KeyModel | None) -> KeyModel | None:
        if found is not None and not (found.key or "").startswith("pkcs11:"):
            raise ValueError("an identity is a key on a token: {key: pkcs11:…}")
        return found

    @field_validator("next")
    @classmethod
    def _named(cls, found: KeyModel | None) -> KeyModel | None:
        if found is not None and found.key is None:
            raise ValueError("next needs its key: {key: …}")
        return found


def settings(attest: AttestModel, folder: Path) -> AttestSettings:
    """Relative paths are relative to `folder`, where site.yaml is."""
    following, identity = (key_settings(m, folder) if m else None for m in (attest.next, attest.identity))
    return AttestSettings(attest.every // 1000, key_settings(attest, folder), following, identity)


def key_settings(model: KeyModel, folder: Path) -> KeySettings | None:
    """Where the key is; None when none is named."""
    if model.key is None:
        return None
    source = keysource.parse(model.key)
    if isinstance(source, Keystore):
        source = Keystore(folder / source.path)
    below = [folder / path if path else None for path in (model.passphrase, model.pin)]
    return KeySettings(source, *below)
