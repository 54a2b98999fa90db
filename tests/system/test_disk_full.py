"""A disk that takes no more, under the real daemon: nothing is acknowledged, the battery is safe, a restart
works. The disk is a limit on file size (RLIMIT_FSIZE) of the daemon's process alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.processes import environment
from tests.system import stage
from tests.system.stage import Daemon, Rig, until

ROOM_BYTES = 400_000  # the log of some seconds


class Cramped(Daemon):
    """A daemon whose files may not grow beyond ROOM_BYTES."""

    def start(self) -> None:
        soft = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM_BYTES}, {ROOM_BYTES})); "
        code = soft + "import sys; from gateway.cli import main; sys.exit(main(['run', 'site.yaml']))"
        with (self.folder / "daemon.log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-c", code], stderr=log, text=True, cwd=self.folder, env=environment()
            )


@pytest.fixture
def where(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with processes.rig(tmp_path, "--tcp", "0", "--slcan") as ready:
        text = stage.site(ready).replace("commit: 100 ms", "commit: 20 ms")
        (tmp_path / "site.yaml").write_text(text.replace("poll: 200 ms", "poll: 50 ms"))
        yield ready


def test_a_full_disk(tmp_path, where):
    rig, site = Rig(tmp_path), Cramped(tmp_path)
    site.start()
    site.ready()
    order = {"kind": "fixed-power", "duration_ms": 60_000, "who": "a test"}
    assert site.asked("submit", id="a" * 64, parameters={"power_w": 2000}, **order)["admitted"]
    until(lambda: [e for e in rig.journal() if e["demand_w"] == 2000], "2 kW at the rig")
    assert site.child.wait(60) == 1
    errors = [line for line in site.said if line.startswith("gridseal: ")]
    assert len(errors) == 1 and "store.db" in errors[0], site.said
    assert "Traceback" not in "".join(site.said)
    assert rig.journal()[-1]["demand_w"] is None, "the fallback was written without a store"
    written = stage.rows(tmp_path / "store.db", "SELECT count(*), max(seq) FROM sample")
    assert written[0][0] == written[0][1] > 0
    again = Daemon(tmp_path)
    again.start()
    try:
        again.ready()
        assert again.status()["control"]["mode"] == "fallback"
        assert again.end() == 0
    finally:
        if again.running:
            again.end()
    ((state, reason),) = stage.rows(tmp_path / "store.db", "SELECT state, reason FROM command")
    assert (state, reason) == ("cut-short", "the gateway was restarted")
    ((boots,),) = stage.rows(tmp_path / "store.db", "SELECT count(*) FROM boot")
    assert boots == 2
    assert rig.state()["writes_outside_envelope"] == 0
