"""A key's own consent to be bound: who may bind it, to which asset of the contract, for which site.

Pure. A stand-alone EIP-712 struct, signed by the key that is to be bound, so that nobody binds a key that is
not theirs. `binder` is the asset's owner, or in a rotation the key that goes. docs/attestation.md is
normative.
"""

from gateway.evidence.typed import Domain, address_bytes, keccak, site_hash

TYPE = "Possession(address binder,uint64 asset,bytes32 site)"
_HASH = keccak(TYPE.encode())


def digest(domain: Domain, binder: str, asset: int, site: str) -> bytes:
    """What the key signs. OverflowError for an asset that is no uint64."""
    words = bytes(12) + address_bytes(binder) + bytes(24) + asset.to_bytes(8, "big") + site_hash(site)
    return keccak(b"\x19\x01" + domain.separator + keccak(_HASH + words))
