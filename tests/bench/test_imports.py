"""What a Modbus-only site must not load: memory and start-up that it would carry for years for nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.site import write_can, write_modbus

from gateway.driver import find_plugins

NEVER = {
    "aiobmsble", "aiohttp", "aiomqtt", "bleak", "can", "cantools", "coincurve", "dbus_fast", "eth_abi",
    "eth_account", "eth_keyfile", "rich", "sha3", "sqlite_utils", "sunspec2", "web3", "drivers.ble.link",
    "drivers.can.driver", "drivers.sunspec.driver", "gateway.attest",
}  # fmt: skip
# What reads site.yaml and its profiles; it does so in a process of its own.
READER = {
    "pydantic", "pydantic_core", "yaml", "gateway.config", "gateway.sitefile", "gateway.yamlfile",
    "gateway.profilefile", "drivers.profile", "drivers.pointfile", "drivers.commandfile",
    "drivers.modbus.profile", "drivers.modbus.setpoint", "drivers.modbus.register", "drivers.can.profile",
    "drivers.can.keys", "drivers.can.dbc", "drivers.can.compiler",
}  # fmt: skip
RUN = """
import asyncio, json, sys
from gateway import cli, daemon

class Daemon(daemon.Daemon):
    async def run(self):
        asyncio.get_running_loop().call_later(0.2, self.stop)
        await super().run()

daemon.Daemon = Daemon
code = cli.main(["run", "site.yaml"])
print(json.dumps([code, sorted(sys.modules)]))
"""
PLUGINS = """
import json, sys
from gateway.driver import find_plugins
find_plugins()
print(json.dumps(sorted(sys.modules)))
"""
MODEL = """
import json, sys
from gateway.driver import find_plugins
find_plugins()[sys.argv[1]].profile_model
print(json.dumps(sorted(sys.modules)))
"""


def python(code: str, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_a_modbus_only_site_loads_no_other_stack_and_nothing_that_reads_it(tmp_path: Path) -> None:
    write_modbus(tmp_path, port=1)  # nobody there: the daemon runs all the same
    code, modules = json.loads(python(RUN, tmp_path))
    loaded = set(modules)
    assert code == 0 and {"pymodbus", "sqlite3", "gateway.daemon", "drivers.modbus.driver"} <= loaded
    assert loaded & (NEVER | READER) == set()


def test_a_site_with_a_battery_on_can_has_its_tables_and_not_what_read_the_dbc(tmp_path: Path) -> None:
    write_can(tmp_path)
    code, modules = json.loads(python(RUN, tmp_path))
    loaded = set(modules)
    assert code == 0 and {"drivers.can.driver", "drivers.can.codec", "gateway.daemon"} <= loaded
    assert (
        loaded & ((NEVER - {"drivers.can.driver"}) | READER | {"textparser", "bitstruct", "pymodbus"})
        == set()
    )


def test_finding_the_drivers_loads_neither_their_models_nor_their_stacks(tmp_path: Path) -> None:
    loaded = set(json.loads(python(PLUGINS, tmp_path)))
    assert {"drivers.modbus.plugin", "drivers.can", "drivers.sunspec", "drivers.gpio"} <= loaded
    stacks = {"pymodbus", "asyncio", "drivers.modbus.link", "drivers.can.driver", "drivers.gpio.driver"}
    assert loaded & (NEVER | READER | stacks) == set()


@pytest.mark.parametrize("kind", sorted(find_plugins()))
def test_reading_a_profile_loads_no_stack_that_drives(tmp_path: Path, kind: str) -> None:
    loaded = set(json.loads(python(MODEL, tmp_path, kind)))
    assert "pydantic" in loaded
    assert loaded & (NEVER | {"pymodbus", "asyncio", "gateway.daemon"}) == set()
