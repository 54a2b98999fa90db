"""What a site's key does besides signing records: it agrees to be bound.

Reads site.yaml for the key, the contract and the site's id in it. It asks no chain: what it prints is for
whoever sends the transaction.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import config
from gateway.errors import ConfigError
from gateway.site import ChainSettings, KeySettings, Site

if TYPE_CHECKING:
    from gateway.evidence.typed import Domain


def prove(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of setGatewayKey for a site's key, with its consent to the owner."""
    from gateway.evidence import possession
    from gateway.evidence.address import checksum
    from gateway.evidence.signer import open_signer
    from gateway.evidence.typed import site_hash

    site = config.load(args.site)
    key, chain = needed(site, args.site)
    owner, signer = checksum(args.owner), open_signer(key, by_hand=True)
    agreed = signer.sign(possession.digest(domain(chain), owner, chain.asset_id, site.id))
    return {
        "contract": checksum(domain(chain).contract),
        "owner": owner,
        "asset": chain.asset_id,
        "address": signer.address,
        "site": "0x" + site_hash(site.id).hex(),
        "possession": "0x" + agreed.hex(),
    }


def needed(site: Site, path: Path) -> tuple[KeySettings, ChainSettings]:
    if site.attest.key is None or site.chain is None:
        raise ConfigError(
            f"{path}: a key is bound to a contract: this site needs attest: {{key: …}} and chain:"
        )
    return site.attest.key, site.chain


def domain(chain: ChainSettings) -> "Domain":
    from gateway.chain import platforms
    from gateway.evidence.typed import Domain

    return Domain(chain.chain_id, platforms.platform(chain).evidence_contract)
