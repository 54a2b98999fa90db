"""The shipped ABI and bytecode are those of the sources, and the lock names no host."""

import subprocess
from pathlib import Path

from gateway.chain.platforms.artifacts import artifact
from gateway.evidence.typed import keccak
from tests import tools

HERE = Path("hardware-in-loop/contracts")
NAMES = ("StorageVerification", "GridServices")


def test_every_source_is_the_one_the_artifacts_were_made_from() -> None:
    for name in NAMES:
        listed = artifact(name)["sources"]
        for path in sorted((HERE / "src").glob("*.sol")):
            assert listed[f"src/{path.name}"] == "0x" + keccak(path.read_bytes()).hex(), path


def test_compiling_again_gives_the_same_artifacts() -> None:
    node = tools.need("node")
    if not (HERE / "node_modules" / "solc").is_dir():
        tools.missing("solc (npm)")
    done = subprocess.run(
        [node, "build.mjs", "--check"], cwd=HERE, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_lock_has_hashes_and_no_registry_host() -> None:
    lock = (HERE / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
