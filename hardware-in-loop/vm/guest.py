"""What scenarios do in a guest: run things, start the unit with a site, ask the daemon, wait for what comes.

Owns the log of one scenario: each thing seen, with the seconds it took. It refuses to go on after something
that was not seen.
"""

import base64
import json
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vm.machine import Done, Fallen, Machine

T = TypeVar("T")

JOB_S = 120.0  # of anything in the guest; it is 10 to 20 times slower than the host
PAUSE_S = 0.5
SITE = "/etc/gridseal/site.yaml"
DAEMON = "/opt/gridseal/bin/gridseal"
SOCKET = "/run/gridseal/control.sock"
UNIT = "gridseal.service"
DROP_INS = f"/etc/systemd/system/{UNIT}.d"
LIMITS = "limits: {charge: 5 kW, discharge: 5 kW, grid import: 17 kW, grid export: 10 kW, ramp: 2 kW/s}"


class Guest:
    """A thawed machine, as one scenario sees it."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine, self.folder = machine, folder
        self.seen: list[tuple[str, float]] = []
        self._since = time.monotonic()

    def try_sh(self, script: str, limit_s: float = JOB_S) -> Done:
        return self.machine.run(script, limit_s)

    def sh(self, script: str, limit_s: float = JOB_S) -> str:
        """What the script said. Fallen when it failed."""
        done = self.try_sh(script, limit_s)
        if done.status:
            raise Fallen(f"exit {done.status} of: {script.strip()}\n{done.said[-2000:]}")
        return done.said

    def put(self, path: str, text: str) -> None:
        coded = base64.b64encode(text.encode()).decode()
        self.sh(f"mkdir -p $(dirname {path}) && echo {coded} | base64 -d > {path}")

    def background(self, unit: str, command: str, *options: str) -> None:
        """A program of the lab's, as a unit of its own."""
        self.sh(f"systemd-run --quiet --collect --unit={unit} {' '.join(options)} {command}")

    def serve(self, devices: str, *drop_ins: str) -> None:
        """Start the unit on a site with these devices, with drop-ins of systemd/, until it is ready."""
        self.put(SITE, f"site: {{id: emulated, {LIMITS}, control: 2 s}}\ndevices:\n{devices}")
        for name in drop_ins:
            self.sh(f"mkdir -p {DROP_INS} && cp /opt/lab/systemd/{name} {DROP_INS}")
        self.sh("systemctl daemon-reload")
        self.sh(f"systemctl start {UNIT} || (systemctl status --no-pager -l {UNIT}; exit 1)", 300)
        self.saw("the hardened unit is ready")

    def ask(self, socket: str = SOCKET, /, **request: Any) -> dict[str, Any]:
        """The daemon's answer, or who else serves that socket; empty while nobody answers."""
        done = self.try_sh(f"python3 -IS /opt/lab/ask.py {socket} {shlex.quote(json.dumps(request))}")
        return json.loads(done.said) if done.status == 0 and done.said else {}

    def device(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(do="status").get("devices", {}).get(name, {})
        return found

    def points(self, name: str) -> dict[str, tuple[int | None, str, int]]:
        """Value, quality and age in milliseconds of each."""
        found = self.ask(do="points", device=name).get("points", {})
        return {point: (value, quality, age_ms) for point, (value, quality, age_ms) in found.items()}

    def saw(self, what: str) -> None:
        now = time.monotonic()
        self.seen.append((what, now - self._since))
        self._since = now

    def until(self, what: str, probe: Callable[[], T], limit_s: float) -> T:
        """The first true answer. Fallen with the last one when none comes."""
        deadline = time.monotonic() + limit_s
        while not (found := probe()):
            if time.monotonic() > deadline:
                raise Fallen(f"not seen within {limit_s:.0f} s: {what}; last: {found!r}")
            time.sleep(PAUSE_S)
        self.saw(what)
        return found

    def reads(self, name: str, wanted: Mapping[str, int], limit_s: float = 90) -> None:
        """Wait until the device has told all of `wanted`, GOOD, after now."""
        began = time.monotonic()

        def agrees() -> bool:
            told = self.points(name)
            since_ms = 1000 * (time.monotonic() - began)
            return wanted.keys() <= told.keys() and all(
                told[point][:2] == (value, "GOOD") and told[point][2] < since_ms
                for point, value in wanted.items()
            )

        self.until(f"{name} tells what its recording means ({len(wanted)} points)", agrees, limit_s)

    def none_good(self, name: str, limit_s: float = 60) -> None:
        """Wait until nothing that the device told counts as good."""

        def silent() -> bool:
            told = self.points(name)
            return bool(told) and not any(quality == "GOOD" for _, quality, _ in told.values())

        self.until(f"nothing of {name} is GOOD any more", silent, limit_s)

    def account(self) -> str:
        """What a failed scenario leaves for whoever looks for the reason."""
        try:
            journal = self.try_sh("journalctl --boot --no-pager --lines 60 --output short-monotonic").said
            return f"{json.dumps(self.ask(do='status'))}\n{journal}"
        except Fallen as error:  # the machine itself
            return f"and then: {error}\n{self.machine.console[-3000:]}"
