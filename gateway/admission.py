"""Whether an order may be accepted: once, when it arrives, and again before it begins. Pure.

`admit` refuses with a reason; nothing is clamped. Numbers in comments are the invariants of docs/safety.md.
It refuses to look at the moment: what the battery may do now is the envelope's.
"""

import string
from dataclasses import dataclass

from gateway.model import NOTHING, ClockTrust, Command, Limits, ServiceKind, Source, Stamp, Verdict
from gateway.site import SiteLimits

AHEAD_MAX_MS = 7 * 86_400_000  # an order for later than a week is somebody's mistake of units
DRIFT_MS = 1000  # in the seconds between a begin and a restart two clocks part by less, unless one was set


@dataclass(frozen=True, slots=True)
class Static:
    """What does not change from cycle to cycle. `nameplate` None: no inverter was reached yet; the same for
    those that take reactive power while `var_complete` is not so."""

    site: SiteLimits
    nameplate: Limits | None
    able_var: int = 0  # of those that were reached, each way
    var_complete: bool = True


def admit(
    command: Command,
    reach: Limits,
    static: Static,
    now: Stamp,
    *,
    known: bool,
    recent: int,
    promised: Limits = NOTHING,
) -> Verdict:
    """Whether `command` is accepted. `reach` is the greatest power its service can ask for, `promised` what
    orders that share the battery with it may ask for already, `known` says that its id was seen before,
    `recent` how many orders this source gave in the last minute."""
    reason = _wrong_id(command) or ("this id was used before" if known else "")  # 11
    if not reason and command.kind is not ServiceKind.STOP:  # a stop is never too late, too often or too much
        reason = _too_often(command, static.site, recent) or _wrong_time(command, static.site, now)
        reason = reason or too_much(reach, static) or _too_much_together(reach, promised, static)
    return Verdict(not reason, reason)


def _wrong_id(command: Command) -> str:
    if len(command.id) == 64 and set(command.id) <= set(string.hexdigits):
        return ""
    return "the id is not 32 bytes in hex"


def _too_often(command: Command, site: SiteLimits, recent: int) -> str:
    if recent < site.commands_per_minute:  # 12
        return ""
    return f"more than {site.commands_per_minute} orders a minute from {command.source.name.lower()}"


def _wrong_time(command: Command, site: SiteLimits, now: Stamp) -> str:
    # An order from outside is dated by somebody else's clock: without ours, "expired" cannot be known.
    if command.source in (Source.CHAIN, Source.REMOTE) and now.trust is not ClockTrust.TRUSTED:
        return "the clock of this gateway is not synchronised yet"
    if command.not_after_ms <= command.not_before_ms:
        return "it ends before it begins"
    if command.not_after_ms <= now.wall_ms:  # 3
        return "it has expired"
    if command.not_after_ms - command.not_before_ms > site.duration_max_s * 1000:  # 3
        return f"it lasts longer than {site.duration_max_s} s"
    if command.not_before_ms - now.wall_ms > AHEAD_MAX_MS:
        return f"it begins more than {AHEAD_MAX_MS // 86_400_000} days ahead"
    return ""


def too_much(reach: Limits, static: Static) -> str:
    """Why this reach is above nameplate or site; empty if it is not. Asked again when an order begins."""
    if reach == NOTHING:
        return ""  # asks for no power of its own
    if static.nameplate is None:
        return "no inverter that can be controlled has been reached yet"
    site = Limits(static.site.charge_w, static.site.discharge_w)
    bounds = (("the inverter's nameplate", static.nameplate), ("the site's limit", site))
    for name, bound in bounds:
        if reach.charge_w > bound.charge_w:
            return f"charging with {reach.charge_w} W is above {name} of {bound.charge_w} W"
        if reach.discharge_w > bound.discharge_w:
            return f"discharging with {reach.discharge_w} W is above {name} of {bound.discharge_w} W"
    return ""


def too_much_var(wanted_var: int, static: Static) -> str:
    """The same for reactive power. Nothing is too much while an inverter that may take it was not reached."""
    if wanted_var <= static.able_var or not static.var_complete:
        return ""
    return f"{wanted_var} var is more than the {static.able_var} var of the inverters reached that take them"


def _too_much_together(reach: Limits, promised: Limits, static: Static) -> str:
    both = Limits(reach.charge_w + promised.charge_w, reach.discharge_w + promised.discharge_w)
    reason = too_much(both, static) if promised != NOTHING else ""
    return f"with what is promised to others for that time, {reason}" if reason else ""


def lapsed(command: Command, now: Stamp) -> str:
    """8, 10: why a stored order may not be taken up again by the calendar; empty if it may."""
    if now.trust is not ClockTrust.TRUSTED:
        return "after the restart the clock was not sure"
    return "it has expired" if command.not_after_ms <= now.wall_ms else ""


def untouched(began_ms: int, began_mono_ms: int, now: Stamp) -> bool:
    """8, 11: whether an order that was durably begun ahead of its time has surely not acted: its moment, by
    both clocks of then, is still to come. Clocks that agree no longer (a step, another start of the machine)
    make nothing sure; `began_ms` is 0 where the calendar was not trusted."""
    agree = began_ms > 0 and abs((now.wall_ms - began_ms) - (now.mono_ms - began_mono_ms)) < DRIFT_MS
    return agree and now.trust is ClockTrust.TRUSTED and now.mono_ms < began_mono_ms


@dataclass(frozen=True, slots=True)
class Term:
    """When an order runs, in monotonic ms: made once, so that no step of the wall clock moves it."""

    begin_ms: int
    end_ms: int


def term(command: Command, now: Stamp) -> Term:
    """3, 10: calendar to monotonic, once, at the moment of admission."""
    begin_ms = now.mono_ms + max(0, command.not_before_ms - now.wall_ms)
    return Term(begin_ms, now.mono_ms + command.not_after_ms - now.wall_ms)
