"""The part `http` of site.yaml: where the server listens, by which names, and what must not be left open.

It refuses an address that other machines reach without encryption, unless the operator writes that it is
meant.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from gateway.site import HttpSettings
from gateway.sitetypes import Strict


class TlsModel(Strict):
    """Files in PEM: the certificate with those that signed it, and its key."""

    certificate: Path
    key: Path


HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]


class HttpModel(Strict):
    """Status page, REST, metrics and pull. An address that other machines reach needs TLS."""

    bind: str = Field(default="127.0.0.1", description="the address it listens at; 0.0.0.0 is every one")
    port: Annotated[int, Field(ge=0, le=65535)] = 8470
    hosts: Annotated[list[HostName], Field(max_length=16)] = Field(
        default_factory=list, description="further names it is reached by: [gridseal.lan]"
    )
    token: Path = Field(
        default=Path("/var/lib/gridseal/http-token"),
        description="file of the token that opens changes; made when it is missing",
    )
    relayer: Path | None = Field(
        default=None,
        description="file of a token that opens the signed records and nothing else; made when it is missing",
    )
    tls: TlsModel | Literal["none"] | None = Field(
        default=None, description='{certificate: …, key: …}; "none": plain HTTP on a network is meant'
    )
    pull: bool = Field(default=False, description="whether anybody may fetch signed records (EIP-3668)")

    @field_validator("bind")
    @classmethod
    def _bound(cls, bind: str) -> str:
        try:
            return str(ip_address(bind))
        except ValueError:
            raise ValueError(f"{bind!r} is not an IP address of this machine") from None

    @field_validator("tls", mode="before")
    @classmethod
    def _known(cls, tls: object) -> object:
        if not isinstance(tls, dict) and tls not in (None, "none"):
            raise ValueError(f'{tls!r} is neither {{certificate: …, key: …}} nor "none"')
        return tls

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if self.tls is None and not ip_address(self.bind).is_loopback:
            raise ValueError(
                f"{self.bind} is reached from other machines: add tls: {{certificate: …, key: …}}"
                " (or tls: none, if that is meant)"
            )
        return self


def settings(http: HttpModel, folder: Path) -> HttpSettings:
    """Relative paths are relative to site.yaml, in `folder`."""
    tls = http.tls if isinstance(http.tls, TlsModel) else None
    return HttpSettings(
        token=folder / http.token,
        bind=http.bind,
        port=http.port,
        hosts=tuple(http.hosts),
        certificate=folder / tls.certificate if tls else None,
        key=folder / tls.key if tls else None,
        pull=http.pull,
        relayer=folder / http.relayer if http.relayer else None,
    )
