"""An EVM node in one Python process, for machines without anvil: JSON-RPC over HTTP around py-evm.

It plays the outside world: real contract execution, a mempool with the rules of geth (one transaction a
nonce, +10 % on both fees to replace it), a block a period, finality some blocks behind the head. It owns no
opinion about the gateway. Started alone it prints one JSON line when it is ready:

    python -m rig.evm --port 0 --contracts
"""

from eth.vm.forks.cancun.get_total_blob_gas import get_total_blob_gas  # noqa: F401
