"""The shipped ABI and bytecode are those of the sources, and the lock names no host."""

import subprocess
from pathlib import Path

import pytest

from gateway.chain.platforms.artifacts import artifact
from gateway.evidence.typed import keccak
from tests import tools

HERE = Path("hardware-in-loop/contracts")
NAMES = sorted(path.stem for path in Path("gateway/chain/platforms/abi").glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_every_source_is_the_one_the_artifact_was_made_from(name: str) -> None:
    own = {path: said for path, said in artifact(name)["sources"].items() if path.startswith("src/")}
    assert f"src/{name}.sol" in own
    for path, said in own.items():
        assert said == "0x" + keccak((HERE / path).read_bytes()).hex(), path


@pytest.mark.timeout(400)  # a minute of solc, on a machine that does nothing else
def test_compiling_again_gives_the_same_artifacts() -> None:
    node = tools.need("node")
    if not (HERE / "node_modules" / "solc").is_dir():
        tools.missing("solc (npm)")
    done = subprocess.run(
        [node, "build.mjs", "--check"], cwd=HERE, capture_output=True, text=True, timeout=350, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_lock_has_hashes_and_no_registry_host() -> None:
    lock = (HERE / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
