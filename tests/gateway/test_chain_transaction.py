"""Our signed transactions against eth-account's own, byte for byte."""

import subprocess
import sys

from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.chain.transaction import Fields, sign
from tests.chain.world import KeySigner

KEY = "0x" + "42" * 32


@settings(max_examples=30)
@given(
    st.integers(1, 2**53),
    st.integers(0, 2**53),
    st.binary(min_size=20, max_size=20),
    st.binary(max_size=600),
    st.integers(21_000, 5_000_000),
    st.integers(1, 2**60),
)
def test_same_bytes_as_eth_account(chain_id, nonce, to, data, gas, price):
    fields = Fields(chain_id, nonce, "0x" + to.hex(), data, gas, price, price // 2)
    name, raw = sign(fields, KeySigner(KEY).sign)
    theirs = Account.from_key(KEY).sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": to,
            "value": 0,
            "data": data,
            "gas": gas,
            "maxFeePerGas": price,
            "maxPriorityFeePerGas": price // 2,
        }
    )
    assert raw == bytes(theirs.raw_transaction)
    assert name == "0x" + bytes(theirs.hash).hex()
    assert Account.recover_transaction(raw) == KeySigner(KEY).address


def test_importing_it_leaves_the_recursion_limit_alone():
    """py_ecc sets it to 100,000, and then deep JSON from an endpoint or a broker kills the process."""
    code = (
        "import sys, json, gateway.chain.transaction\n"
        "assert sys.getrecursionlimit() == 1000, sys.getrecursionlimit()\n"
        "assert 'web3' not in sys.modules\n"
        "try: json.loads('[' * 100_000)\n"
        "except RecursionError: print('survived')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "survived\n", ended.stderr


def test_the_chain_package_is_cheap_until_it_is_used():
    code = (
        "import sys, gateway.chain.txmgr, gateway.chain.inbox, gateway.chain.outbox, gateway.chain.rpc\n"
        "print(sorted(m for m in ('web3', 'eth_account', 'eth_abi', 'aiohttp') if m in sys.modules))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "[]\n", ended.stderr
