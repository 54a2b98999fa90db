"""From the process image to what the envelope and the control laws are given. Pure.

It owns the choice of sources: every provider of a limit counts, and a configured battery that was never
reached makes all its limits unknown. It refuses to fill gaps: what is not GOOD is None.
"""

from gateway.envelope import Bms, Memory, Moment
from gateway.lease import Hand, Hold, Phase
from gateway.model import Cause, Limits, Quantity, SetpointSpec
from gateway.services import Inputs
from gateway.site import Site
from gateway.state import View

WRITTEN = (Phase.WRITTEN, Phase.HELD)
FLOW_W = 100  # less than this is a battery at rest: inverters idle at some tens of watts


def inputs(view: View) -> Inputs:
    return Inputs(view.good(Quantity.GRID_FREQUENCY), house_w(view))


def house_w(view: View) -> int | None:
    """grid + battery = load - pv: what the grid would carry if the battery rested."""
    grid, battery = view.good(Quantity.GRID_POWER), view.good(Quantity.BATTERY_POWER)
    return None if grid is None or battery is None else grid + battery


def nameplate(spec: SetpointSpec | None) -> Limits | None:
    return Limits(spec.charge_max_w, spec.discharge_max_w) if spec else None


def bms(view: View, site: Site) -> Bms:
    def reported(quantity: Quantity) -> tuple[int | None, ...]:
        return tuple(measured.good for measured in view.all(quantity))

    return Bms(
        reported(Quantity.CHARGE_LIMIT_CURRENT),
        reported(Quantity.DISCHARGE_LIMIT_CURRENT),
        reported(Quantity.CHARGE_LIMIT_POWER),
        reported(Quantity.DISCHARGE_LIMIT_POWER),
        all(device.name in view.declared for device in site.devices if device.role == "battery"),
    )


def moment(view: View, site: Site, hand: Hand, reach: Limits, halt: Cause | None) -> Moment:
    """Everything this cycle's decision depends on."""
    spec = hand.hold.spec
    return Moment(
        now_ms=view.now_ms,
        cycle_ms=site.control_ms,
        site=site.limits,
        nameplate=nameplate(spec),
        bms=bms(view, site),
        contract=reach,
        voltage_mv=view.good(Quantity.BATTERY_VOLTAGE),
        soc_bp=view.good(Quantity.BATTERY_SOC),
        temperature_cc=view.good(Quantity.BATTERY_TEMPERATURE),
        temperature_expected=view.get(Quantity.BATTERY_TEMPERATURE) is not None,
        house_w=house_w(view),
        step_w=spec.step_w if spec else 1,
        quantise=hand.quantise,
        halt=halt,
    )


def remember(memory: Memory, hold: Hold, view: View, before_ms: int) -> Memory:
    """What the device really did since the last cycle (at `before_ms`) replaces what was meant.

    While it is under its own control, a measured flow is the direction that a dwell must end.
    """
    if hold.phase in WRITTEN:
        return Memory(hold.since_ms, memory.rest_ms, memory.direction, memory.full, memory.empty)
    flow_w = view.good(Quantity.BATTERY_POWER) or 0
    direction = 0 if abs(flow_w) <= FLOW_W else (1 if flow_w > 0 else -1)
    return Memory(before_ms, view.now_ms, direction, memory.full, memory.empty)
