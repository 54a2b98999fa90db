"""A triggered reserve: the whole power at once when the frequency passes a point, held for a time.

`power_w` + is discharged when the frequency is at or below `trigger_mhz`, - charged at or above it. It is
held for `support_s` from the trigger on, whatever the frequency does, and then falls to nothing in a straight
line over `fade_s`. It can be triggered again when the frequency has been back and `rearm_s` have passed since
the trigger. Energy is not put back by this service: that is another order's.

A frequency that is not known, or far from the trigger, triggers nothing; it does not end what was triggered.
"""

from gateway.model import Limits
from gateway.services.law import (
    POWER_MAX_W,
    Bounds,
    Inputs,
    Law,
    Memory,
    Parameters,
    Wish,
    battery_error_w,
)

DEVIATION_MAX_MHZ = 5000  # farther from the trigger than this is no grid's frequency


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    passed = _passed(parameters, inputs.frequency_mhz)
    memory = _after(parameters, inputs.memory, passed, inputs.now_ms)
    share_ms, whole_ms = _share(parameters, memory, inputs.now_ms)
    if passed is None and not share_ms:
        return None  # it could not be triggered
    power_w = abs(parameters["power_w"]) * share_ms // whole_ms
    return Wish(power_w if parameters["power_w"] > 0 else -power_w, memory=memory)


def _passed(parameters: Parameters, measured_mhz: int | None) -> bool | None:
    """Whether the frequency is beyond the trigger now; None when that is not known."""
    if measured_mhz is None or abs(measured_mhz - parameters["trigger_mhz"]) > DEVIATION_MAX_MHZ:
        return None
    beyond_mhz = parameters["trigger_mhz"] - measured_mhz
    return (beyond_mhz if parameters["power_w"] > 0 else -beyond_mhz) >= 0


def _after(parameters: Parameters, memory: Memory, passed: bool | None, now_ms: int) -> Memory:
    """Nothing while it waits; else when it was triggered, and whether the frequency has been back since."""
    if memory:
        since_ms, back = memory
        back = int(back or passed is False)
        if not back or now_ms - since_ms < _busy_ms(parameters):
            return since_ms, back
    return (now_ms, 0) if passed else ()


def _busy_ms(parameters: Parameters) -> int:
    """How long after a trigger there is no other."""
    return max(parameters["support_s"] + parameters["fade_s"], parameters["rearm_s"]) * 1000


def _share(parameters: Parameters, memory: Memory, now_ms: int) -> tuple[int, int]:
    """How much of the power is given now, as a part and its whole."""
    fade_ms = parameters["fade_s"] * 1000
    left_ms = memory[0] + parameters["support_s"] * 1000 + fade_ms - now_ms if memory else 0
    return max(0, min(left_ms, fade_ms or 1)), fade_ms or 1


def check(parameters: Parameters) -> str:
    return "" if parameters["power_w"] else "power_w must not be 0: it would respond to nothing"


def reach(parameters: Parameters, most: Limits) -> Limits:
    del most
    return Limits(max(0, -parameters["power_w"]), max(0, parameters["power_w"]))


LAW = Law(
    {
        "power_w": Bounds(-POWER_MAX_W, POWER_MAX_W),
        "trigger_mhz": Bounds(45_000, 65_000),
        "support_s": Bounds(1, 3600),
        "fade_s": Bounds(0, 600, 0),
        "rearm_s": Bounds(0, 3600, 0),
    },
    wish,
    reach,
    battery_error_w,
    check,
    fast=True,
)
