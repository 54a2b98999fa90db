"""An EIP-1559 transaction, built and signed without ever seeing the key.

eth-account knows the format; it hashes the unsigned fields, our signer signs that digest, eth-account
encodes the signed fields. Import this module only where a chain is used: it costs half a second.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.chain.send_state import Draft
from gateway.evidence.address import checksum
from gateway.evidence.ethlibs import tamed
from gateway.evidence.typed import keccak

with tamed():
    from eth_account.typed_transactions.typed_transaction import TypedTransaction


@dataclass(frozen=True, slots=True)
class Fields:
    """What a transaction of ours says; it never carries ether."""

    chain_id: int
    nonce: int
    to: str
    data: bytes
    gas: int
    max_wei: int
    tip_wei: int


def sign(fields: Fields, signer: Callable[[bytes], bytes]) -> tuple[str, bytes]:
    """Hash and encoding of the signed transaction. `signer` takes a digest, gives r || s || v (27 or 28)."""
    unsigned = {
        "type": 2,
        "chainId": fields.chain_id,
        "nonce": fields.nonce,
        "to": checksum(fields.to),
        "data": fields.data,
        "value": 0,
        "gas": fields.gas,
        "maxFeePerGas": fields.max_wei,
        "maxPriorityFeePerGas": fields.tip_wei,
    }
    signature = signer(bytes(TypedTransaction.from_dict(unsigned).hash()))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    signed = unsigned | {"v": signature[64] - 27, "r": r, "s": s}
    raw = bytes(TypedTransaction.from_dict(signed).encode())
    return "0x" + keccak(raw).hex(), raw


def signing(chain_id: int, signer: Callable[[bytes], bytes]) -> Callable[[Draft], tuple[str, bytes]]:
    """`sign` for the transaction manager."""

    def signed(draft: Draft) -> tuple[str, bytes]:
        fees = draft.fees
        fields = Fields(
            chain_id, draft.nonce, draft.contract, draft.data, draft.gas, fees.max_wei, fees.tip_wei
        )
        return sign(fields, signer)

    return signed
