"""What a site's key does besides signing records: it agrees to be bound, hands over, and is revoked.

Reads site.yaml for the keys, the contract and the site's id in it, and asks no chain. Where a daemon runs,
it makes the record; where none does, its store is opened here. Handing over takes both keys, so site.yaml
names both first: then a stop between any two steps leaves a site that starts and goes on.
"""

import argparse
import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import config
from gateway.errors import ConfigError, LinkError, ServiceRefused
from gateway.site import ChainSettings, KeySettings, Keystore, Site
from gateway.uplink.local import ask

if TYPE_CHECKING:
    from gateway.evidence.signer import Signer
    from gateway.evidence.typed import Domain

PROBE_S = 5.0


def prove(args: argparse.Namespace) -> dict[str, Any]:
    """The owner's call that binds a site's key, with the key's consent to that owner."""
    from gateway.chain import platforms
    from gateway.evidence import possession
    from gateway.evidence.signer import open_signer
    from gateway.evidence.typed import site_hash

    site = config.load(args.site)
    key, chain = _bound(site, args.site)
    platform = platforms.platform(chain)
    owner, signer = platform.owner(args.owner), open_signer(key, by_hand=True)
    agreed = signer.sign(possession.digest(domain(site), owner.binder, chain.asset_id, site.id))
    call = platform.binding(signer.public_key, site.id, agreed)
    return {
        "contract": call.contract,
        "owner": owner.address,
        "asset": chain.asset_id,
        "address": signer.address,
        "account": platform.account(signer.public_key),
        "site": "0x" + site_hash(site.id).hex(),
        "possession": "0x" + agreed.hex(),
        "call": json.dumps(dict(call.fields)),
    }


def rotate(args: argparse.Namespace) -> dict[str, Any]:
    """attest.key hands over to attest.next, with a record of its own."""
    from gateway.evidence.signer import open_signer

    site = config.load(args.site)
    if site.attest.key is None or site.attest.next is None:
        raise ConfigError(
            f"{args.site}: write the new key beside the old one: attest: {{key: …, next: {{key: …}}}}"
        )
    new = open_signer(site.attest.next, by_hand=True)
    made = asyncio.run(_rotate(site, new))
    account = new.address
    if site.chain is not None:
        from gateway.chain import platforms

        account = platforms.platform(site.chain).account(new.public_key)
    restart = (
        "the daemon starts again with it once no order runs" if made.pop("restarts") else "restart the daemon"
    )
    return {**made, "next": new.address, "then": f"give {account} some money for fees; {restart}"}


def revoke(args: argparse.Namespace) -> dict[str, Any]:
    """Nothing more is signed by attest.key."""
    site = config.load(args.site)
    return asyncio.run(_end(site, {"do": "revoke", "reason": args.reason}))


async def _rotate(site: Site, new: "Signer") -> dict[str, Any]:
    from gateway.evidence import possession

    asset = site.chain.asset_id if site.chain else 0
    old = await _present_key(site)
    agreed = new.sign(possession.digest(domain(site), old, asset, site.id))
    request = {"do": "rotate", "next": new.address, "asset": asset, "possession": "0x" + agreed.hex()}
    return await _end(site, {**request, "files": _files(site.attest.next)})


def _files(key: "KeySettings | None") -> list[str]:
    """What the daemon has to read to open it. Credentials and tokens are seen to by others."""
    if key is None or not isinstance(key.source, Keystore):
        return []
    return [str(path.absolute()) for path in (key.source.path, key.passphrase) if path]


async def _present_key(site: Site) -> str:
    if await _runs(site.socket):
        return str((await ask(site.socket, {"do": "status"}))["records"]["key"])
    return _old_signer(site).address


async def _end(site: Site, request: Mapping[str, Any]) -> dict[str, Any]:
    """The record that ends the key, by the daemon if there is one."""
    if await _runs(site.socket):
        return await ask(site.socket, request)
    from gateway.attest import Attestor
    from gateway.clock import SystemClock
    from gateway.keyring import KeyDesk, holder
    from gateway.store import Store

    key, clock = _old_signer(site), SystemClock(assume_synchronised=site.trust_host_clock)
    store = Store(site.store, clock)
    await store.open()
    try:
        signer = await holder(store, site.attest, key)
        desk = KeyDesk(Attestor(site, store, clock, signer, domain(site)))
        return await (desk.rotate if request["do"] == "rotate" else desk.revoke)(request)
    except LinkError as error:
        raise ServiceRefused(str(error))
    finally:
        await store.close()


def _old_signer(site: Site) -> "Signer":
    from gateway.evidence.signer import open_signer

    if site.attest.key is None:
        raise ConfigError("this site has no key: nothing is signed here (attest.key)")
    return open_signer(site.attest.key, by_hand=True)


async def _runs(path: Path) -> bool:
    """Whether a daemon listens there. One that does not answer counts as running: its store is its own."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S)
        try:
            await asyncio.to_thread(probe.connect, str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


def _bound(site: Site, path: Path) -> tuple[KeySettings, ChainSettings]:
    if site.attest.key is None or site.chain is None:
        raise ConfigError(
            f"{path}: a key is bound to a contract: this site needs attest: {{key: …}} and chain:"
        )
    return site.attest.key, site.chain


def domain(site: Site) -> "Domain":
    from gateway.evidence.typed import NO_CHAIN, Domain

    if site.chain is None:
        return NO_CHAIN
    from gateway.chain import platforms

    return Domain(site.chain.chain_id, platforms.platform(site.chain).evidence_contract)
