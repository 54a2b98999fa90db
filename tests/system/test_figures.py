"""The figures of the real daemon at the rig: sealed, in the status, and by the verb beside it and after
it."""

import json

from tests import processes
from tests.processes import gridseal
from tests.system import stage
from tests.system.stage import daemon, until

KEY = "attest: {every: 2 s, key: key.json, passphrase: passphrase}\n"


def test_what_the_daemon_seals_is_shown_while_it_runs_and_afterwards(tmp_path):
    with processes.rig(tmp_path, "--tcp", "0", "--slcan") as where:
        (tmp_path / "site.yaml").write_text(stage.site(where, KEY))
        stage.new_key(tmp_path)
        with daemon(tmp_path) as site:
            site.ready()
            until(lambda: site.status()["records"]["intervals"] >= 3, "three intervals")
            until(lambda: site.status()["performance"]["day"] is not None, "a day")
            day = site.status()["performance"]["day"]
            assert day["imbalance_mv"] is not None and day["temperature_max_cc"] is not None
            assert 0 < day["availability_bp"] <= 10_000
            shown = gridseal(tmp_path, "status", "site.yaml").stdout
            assert "today (UTC)" in shown
            beside = gridseal(tmp_path, "figures", "site.yaml")
            assert beside.returncode == 0, beside.stderr
            assert site.end() == 0
        after = json.loads(gridseal(tmp_path, "figures", "site.yaml", "--json").stdout)
    assert after["whole"]["start_ms"] == day["start_ms"]
    assert after["whole"]["end_ms"] >= day["end_ms"]
