"""What a Modbus-only site must not load: memory and start-up that it would carry for years for nothing."""

import json
import subprocess
import sys
from pathlib import Path

from bench.site import write_modbus

NEVER = {
    "aiohttp", "aiomqtt", "coincurve", "eth_abi", "eth_account", "eth_keyfile", "rich", "sha3",
    "sqlite_utils", "sunspec2", "web3", "drivers.can.driver", "drivers.sunspec.driver", "gateway.attest",
}  # fmt: skip
RUN = """
import asyncio, json, sys
from pathlib import Path
from gateway import config
from gateway.cli import run
from gateway.daemon import Daemon

async def main():
    daemon = Daemon(config.load(Path("site.yaml")))
    asyncio.get_running_loop().call_later(0.2, daemon.stop)
    await daemon.run()

asyncio.run(main())
print(json.dumps(sorted(sys.modules)))
"""


def test_a_modbus_only_site_loads_no_other_stack(tmp_path: Path) -> None:
    write_modbus(tmp_path, port=1)  # nobody there: the daemon runs all the same
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert {"pymodbus", "sqlite3", "gateway.daemon"} <= loaded
    assert loaded & NEVER == set()
