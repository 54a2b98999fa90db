"""The consent of a key: the same digest as another encoder's, for one binder, asset, site and contract."""

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.evidence import possession, typed
from gateway.evidence.typed import site_hash
from tests.gateway.evidence_samples import ADDRESSES, DOMAIN, DOMAINS, uint
from tests.gateway.test_evidence_typed import fields_of


@given(DOMAINS, ADDRESSES, uint(64), st.text(max_size=40).filter(str.isprintable))
def test_digest_is_that_of_another_encoder(domain, binder, asset, site) -> None:
    full = {
        "types": {
            "EIP712Domain": fields_of(typed.DOMAIN_TYPE),
            "Possession": fields_of(possession.TYPE),
        },
        "primaryType": "Possession",
        "domain": {
            "name": "Gridseal",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": {"binder": binder, "asset": asset, "site": site_hash(site)},
    }
    theirs = bytes(_hash_eip191_message(encode_typed_data(full_message=full)))
    assert possession.digest(domain, binder, asset, site) == theirs


@pytest.mark.parametrize(
    ("binder", "asset", "error"), [("0x12", 1, ConfigError), ("0x" + "1" * 40, -1, OverflowError)]
)
def test_what_is_no_address_or_no_asset_is_refused(binder, asset, error) -> None:
    with pytest.raises(error):
        possession.digest(DOMAIN, binder, asset, "s")
