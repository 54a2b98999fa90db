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

    @field_validator("next")
    @classmethod
    def _named(cls, found: KeyModel | None) -> KeyModel | None:
        if found is not None and found.key is None:
            raise ValueError("next needs its key: {key: …}")
        return found


def settings(attest: AttestModel, folder: Path) -> AttestSettings:
    """Relative paths are relative to `folder`, where site.yaml is."""
    following = _settings(attest.next, folder) if attest.next else None
    return AttestSettings(attest.every // 1000, _settings(attest, folder), following)


def _settings(model: KeyModel, folder: Path) -> KeySettings | None:
    if model.key is None:
        return None
    source = keysource.parse(model.key)
    if isinstance(source, Keystore):
        source = Keystore(folder / source.path)
    below = [folder / path if path else None for path in (model.passphrase, model.pin)]
    return KeySettings(source, *below)
