"""From the process image to what the envelope and the control laws are given. Pure.

It owns the choice of sources: every provider of a battery's limit counts, and a configured one that was
never reached makes all its limits unknown. It refuses to fill gaps: what is not GOOD is None.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.derate import Share, share
from gateway.envelope import Bms, Memory, Moment, Reported
from gateway.house import House, Power, step
from gateway.lease import Hand, Hold, Phase
from gateway.meterlive import Heard
from gateway.model import NOTHING, Limits, Quantity, SetpointSpec
from gateway.plausible import Bound, Charge, Seen, rate_bp_per_h, voltage_bounds_mv
from gateway.services import Inputs
from gateway.site import Site, SiteLimits
from gateway.state import STALE_MS, View

WRITTEN = (Phase.WRITTEN, Phase.HELD)
FLOW_W = 100  # less than this is a battery at rest: inverters idle at some tens of watts


def inputs(
    view: View, house_w: int | None, batteries: Sequence[frozenset[str]], *, metered: bool = True
) -> Inputs:
    """What the control laws see of the whole site. Its battery is what these do (the devices of each): one
    that is not ours to command now delivers nothing for an order. `metered`: the meter is believed."""
    powers = [view.of(devices).good(Quantity.BATTERY_POWER) for devices in batteries]
    known = [power for power in powers if power is not None]
    return Inputs(
        frequency_mhz=view.good(Quantity.GRID_FREQUENCY),
        house_w=house_w,
        battery_w=sum(known) if powers and len(known) == len(powers) else None,
        grid_w=view.good(Quantity.GRID_POWER) if metered else None,
        soc_bp=view.good(Quantity.BATTERY_SOC),
        voltage_mv=view.good(Quantity.GRID_VOLTAGE),
        inverter_w=view.good(Quantity.INVERTER_POWER),
        now_ms=view.now_ms,
    )


class Battery(NamedTuple):
    """Where a commanded battery's power is found: its devices, its hand's hold, and how much more of a
    discharge is measured than was told."""

    devices: frozenset[str]
    hold: Hold
    excess_bp: int = 0


def house(before: House, view: View, batteries: Iterable[Battery]) -> House:
    """What the grid would carry if these batteries rested: grid + battery = load - pv, a discharge counted
    as it is told. A battery that is not ours to command now belongs to the house, whatever it does.

    1: the grid's limit rests on it, so that it is never older than 5 s, however seldom its meter is asked.
    """
    flows = {battery.hold.device: _flow(view.of(battery.devices), battery) for battery in batteries}
    return step(before, view.now_ms, _prompt(view, Quantity.GRID_POWER), flows)


def metered(view: View, batteries: Iterable[Battery]) -> Heard | None:
    """The meter's last word, beside what all batteries do; None where it is not measured."""
    grid = view.get(Quantity.GRID_POWER)
    if grid is None or grid.good is None:
        return None
    own = view.of(frozenset({grid.device}))
    powers = [
        view.of(battery.devices).good(Quantity.BATTERY_POWER) if battery.hold.phase in WRITTEN else None
        for battery in batteries
    ]
    known = [power for power in powers if power is not None]
    return Heard(
        grid.device,
        view.now_ms - grid.age_ms,
        grid.good,
        (own.good(Quantity.GRID_IMPORTED), own.good(Quantity.GRID_EXPORTED)),
        sum(known) if powers and len(known) == len(powers) else None,
    )


def _flow(own: View, battery: Battery) -> tuple[Power, ...]:
    """What a battery does, as measured and as told. A write may arrive until it was read back, and what is
    not known to hold may have ended."""
    measured, hold = _prompt(own, Quantity.BATTERY_POWER), battery.hold
    if measured is None:
        return ()
    beyond_w = max(0, measured.power_w) * battery.excess_bp // (10_000 + battery.excess_bp)
    measured = measured._replace(power_w=measured.power_w - beyond_w)
    sure = hold.phase in (Phase.HELD, Phase.RELEASED)
    told_w = (hold.power_w,) if sure or hold.phase is Phase.WRITTEN else (hold.power_w, 0)
    return (measured, *(Power(hold.since_ms if sure else own.now_ms, w, told=True) for w in told_w))


def _prompt(view: View, quantity: Quantity) -> Power | None:
    found = view.get(quantity)
    if found is None or found.good is None or found.age_ms > STALE_MS:
        return None
    return Power(view.now_ms - found.age_ms, found.good)


def nameplate(spec: SetpointSpec | None) -> Limits | None:
    return Limits(spec.charge_max_w, spec.discharge_max_w) if spec else None


def bms(view: View, site: Site, devices: frozenset[str]) -> Bms:
    """What the providers of one battery (its `devices`) report."""

    def reported(quantity: Quantity) -> tuple[int | None, ...]:
        return tuple(measured.good for measured in view.all(quantity))

    return Bms(
        reported(Quantity.CHARGE_LIMIT_CURRENT),
        reported(Quantity.DISCHARGE_LIMIT_CURRENT),
        reported(Quantity.CHARGE_LIMIT_POWER),
        reported(Quantity.DISCHARGE_LIMIT_POWER),
        all(d.name in view.declared for d in site.devices if d.role == "battery" and d.name in devices),
    )


def derating(own: View, site: Site, devices: frozenset[str]) -> Iterator[Share]:
    """What the curves of one battery's devices leave, each by what its own device measures."""
    for device in site.devices:
        if device.name in devices:
            alone = own.of(frozenset({device.name}))
            yield from (share(curve, alone.good(curve.over)) for curve in device.derating)


def seen(own: View, site: Site, devices: frozenset[str], spec: SetpointSpec | None) -> Seen:
    """What one battery's devices say that can be implausible."""
    voltage_mv, plate = own.good(Quantity.BATTERY_VOLTAGE), nameplate(spec) or NOTHING
    mine = {device.name: device for device in site.devices if device.name in devices}

    def bounds(quantity: Quantity, power_w: int) -> Iterator[Bound]:
        full = power_w if quantity.unit == "w" else power_w * 1_000_000 // voltage_mv if voltage_mv else 0
        yield from (Bound(m.device, quantity, m.good, full or None) for m in own.all(quantity))

    return Seen(
        now_ms=own.now_ms,
        charges=tuple(
            Charge(m.device, mine[m.device].role == "battery", m.good) for m in own.all(Quantity.BATTERY_SOC)
        ),
        rate_bp_per_h=rate_bp_per_h(
            max(plate.charge_w, plate.discharge_w), own.good(Quantity.BATTERY_CAPACITY)
        ),
        voltage_mv=voltage_mv,
        voltage_bounds_mv=voltage_bounds_mv(
            max((device.cells for device in mine.values()), default=0),
            own.good(Quantity.BATTERY_CELL_MIN),
            own.good(Quantity.BATTERY_CELL_MAX),
            own.good(Quantity.CHARGE_VOLTAGE_LIMIT),
        ),
        limits=(
            *bounds(Quantity.CHARGE_LIMIT_CURRENT, plate.charge_w),
            *bounds(Quantity.DISCHARGE_LIMIT_CURRENT, plate.discharge_w),
            *bounds(Quantity.CHARGE_LIMIT_POWER, plate.charge_w),
            *bounds(Quantity.DISCHARGE_LIMIT_POWER, plate.discharge_w),
        ),
    )


def believed(moment: Moment, doubts: Collection[Quantity]) -> Moment:
    """2: what is in doubt counts as not known, whoever says it."""

    def kept(quantity: Quantity, values: Reported) -> Reported:
        return (None,) * len(values) if quantity in doubts else values

    if not doubts:
        return moment
    bms = replace(
        moment.bms,
        charge_ma=kept(Quantity.CHARGE_LIMIT_CURRENT, moment.bms.charge_ma),
        discharge_ma=kept(Quantity.DISCHARGE_LIMIT_CURRENT, moment.bms.discharge_ma),
        charge_w=kept(Quantity.CHARGE_LIMIT_POWER, moment.bms.charge_w),
        discharge_w=kept(Quantity.DISCHARGE_LIMIT_POWER, moment.bms.discharge_w),
    )
    return replace(
        moment,
        bms=bms,
        soc_bp=None if Quantity.BATTERY_SOC in doubts else moment.soc_bp,
        voltage_mv=None if Quantity.BATTERY_VOLTAGE in doubts else moment.voltage_mv,
    )


def moment(
    own: View, site: Site, limits: SiteLimits, hand: Hand, devices: frozenset[str], reach: Limits,
    house_w: int | None,
) -> Moment:  # fmt: skip
    """Everything one battery's decision depends on this cycle. `own` is the view of its `devices`, `limits`
    are the site's as they hold now."""
    spec = hand.hold.spec
    return Moment(
        now_ms=own.now_ms,
        cycle_ms=site.control_ms,
        site=limits,
        nameplate=nameplate(spec),
        bms=bms(own, site, devices),
        contract=reach,
        voltage_mv=own.good(Quantity.BATTERY_VOLTAGE),
        soc_bp=own.good(Quantity.BATTERY_SOC),
        temperature_cc=own.good(Quantity.BATTERY_TEMPERATURE),
        temperature_expected=own.get(Quantity.BATTERY_TEMPERATURE) is not None,
        house_w=house_w,
        step_w=spec.step_w if spec else 1,
        quantise=hand.quantise,
        derating=tuple(derating(own, site, devices)),
    )


def remember(memory: Memory, hold: Hold, view: View, before_ms: int) -> Memory:
    """What the device really did since the last cycle (at `before_ms`) replaces what was meant.

    While it is under its own control, a measured flow is the direction that a dwell must end; without one it
    rests since it was let go, and what it did before is turned only when that rest has been long enough (6).
    """
    if hold.phase in WRITTEN:
        return replace(memory, changed_ms=hold.since_ms)
    # 5: it was let go in between: the ramp begins there
    changed_ms = max(before_ms, hold.since_ms)
    flow_w = view.good(Quantity.BATTERY_POWER)
    if flow_w is not None and abs(flow_w) <= FLOW_W:
        return replace(memory, changed_ms=changed_ms, rest_ms=max(memory.rest_ms, hold.since_ms))
    direction = memory.direction if flow_w is None else (1 if flow_w > 0 else -1)
    return replace(memory, changed_ms=changed_ms, rest_ms=view.now_ms, direction=direction)
