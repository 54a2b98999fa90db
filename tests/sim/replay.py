"""The measured series through the real Daemon on the rig: what was delivered against what is ideal.

    python -m tests.sim.replay [--hours 14]        (make replay; writes docs/replay)

Frequency regulation answers the measured frequency of Continental Europe, peak shaving the load of a measured
household. Ideal is the law itself on the rig's own truth at every second: no polling, no ramp, no limits.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "hardware-in-loop")]

from gateway.model import ServiceKind  # noqa: E402
from gateway.services import LAWS, Inputs, complete  # noqa: E402
from tests.sim.loop import VirtualClock, run  # noqa: E402
from tests.sim.plot import Line, plot  # noqa: E402
from tests.sim.rigged import Rigged  # noqa: E402

OUT = ROOT / "docs/replay"
DROOP = {"power_w": 4000, "deadband_mhz": 10, "full_mhz": 200}  # the continental FCR shape
SHAVE = {"import_w": 2500}
HOURS_MAX = 48


@dataclass
class Trace:
    """One figure a second: what the law asks on the rig's truth, what is done, and what it answers to."""

    ideal_w: list[int] = field(default_factory=list)
    battery_w: list[int] = field(default_factory=list)
    cause: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Energy and error; the lag is the shift in seconds at which the two agree best."""
        pairs = list(zip(self.ideal_w, self.battery_w, strict=True))
        span = max(1, *map(abs, self.ideal_w))
        return {
            "hours": round(len(pairs) / 3600, 2),
            "ideal_wh": round(sum(abs(i) for i, _ in pairs) / 3600),
            "delivered_wh": round(sum(b if i > 0 else -b for i, b in pairs if i) / 3600),
            "error_mean_w": round(sum(abs(b - i) for i, b in pairs) / len(pairs)),
            "error_mean_of_peak": round(sum(abs(b - i) for i, b in pairs) / len(pairs) / span, 4),
            "lag_s": min(range(10), key=self._apart),
        }

    def _apart(self, shift: int) -> int:
        later = self.battery_w[shift:]
        return sum(abs(b - i) for i, b in zip(self.ideal_w, later, strict=False))


async def _replay(
    clock: VirtualClock, kind: ServiceKind, parameters: dict[str, int], hours: float, **how: Any
) -> tuple[Trace, dict[str, Any]]:
    trace = Trace()
    with _folder() as folder:
        rigged = Rigged(clock, folder, **how)
        rigged.bank.plant.set_soc(0.6)
        async with rigged.running():
            await asyncio.sleep(15)
            answer = await rigged.ask(
                "submit",
                id="5a" * 32,
                kind=kind.value,
                duration_ms=int(hours * 3_600_000),
                parameters=parameters,
                who="replay",
            )
            assert answer["admitted"], answer
            await asyncio.sleep(15)
            for _ in range(int(hours * 3600) - 30):
                await asyncio.sleep(1)
                _note(trace, rigged, kind, parameters)
            await asyncio.sleep(30)
            (outcome,) = rigged.rows("SELECT outcome FROM command")
        witness = rigged.plant.witness
    told = json.loads(outcome[0])
    return trace, {
        **trace.figures(),
        "writes": witness.writes,
        "outside": witness.outside,
        "told": {name: told[name] for name in ("requested_wh", "delivered_wh", "curtailed_ms")},
    }


def _note(trace: Trace, rigged: Rigged, kind: ServiceKind, parameters: dict[str, int]) -> None:
    state = rigged.plant.advance(rigged.clock.mono_ms())
    house_w = state.load_w - state.pv_w
    inputs = Inputs(state.frequency_mhz, house_w, round(state.battery_w), state.grid_w, 6000)
    wish = LAWS[kind].wish(complete(kind, parameters), inputs)
    assert wish is not None
    trace.ideal_w.append(max(0, wish.least_w) if wish.least_w is not None else wish.power_w)
    trace.battery_w.append(state.battery_ac_w)
    trace.cause.append(state.frequency_mhz / 1000 if kind is ServiceKind.FREQUENCY else state.grid_w)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="replay") as name:
        yield Path(name)


def frequency(hours: float) -> tuple[Trace, dict[str, Any]]:
    """Continental droop on the measured frequency, from midnight."""
    how = {"poll": "500 ms", "control": "500 ms", "commit": "30 s", "start_minute": 0}
    return run(lambda clock: _replay(clock, ServiceKind.FREQUENCY, DROOP, hours, **how))


def shaving(hours: float) -> tuple[Trace, dict[str, Any]]:
    """The household's peaks above a limit, from midnight."""
    how = {"commit": "30 s", "start_minute": 0}
    return run(lambda clock: _replay(clock, ServiceKind.PEAK_SHAVING, SHAVE, hours, **how))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=12.0)
    hours = min(HOURS_MAX, parser.parse_args().hours)
    OUT.mkdir(exist_ok=True)
    found: dict[str, Any] = {}
    for name, play, what, unit in (
        ("frequency", frequency, "grid frequency", "Hz"),
        ("shaving", shaving, "grid power", "W"),
    ):
        trace, found[name] = play(hours)
        lines = (Line("ideal", trace.ideal_w), Line("delivered", trace.battery_w))
        (OUT / f"{name}.svg").write_text(plot(lines, Line(f"{what} ({unit})", trace.cause)))
    (OUT / "figures.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
