"""One target to all batteries of a site, in one cycle: divided, decided for each, and given out as leases.

Invariants kept here: 1 (none takes room that another has not left yet) and, of several batteries, 2 and 13:
the one of which something needed is not known goes to its fallback at once, and the others go on. It refuses
to decide a power: the envelope does, for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway import envelope, sense, split
from gateway.envelope import Moment
from gateway.member import Member, ramped, worst
from gateway.model import Cause, Limits
from gateway.site import Site, SiteLimits
from gateway.state import View


@dataclass(frozen=True, slots=True)
class Task:
    """What all of them are to do together, within the site's limits as they hold now; `bound` is what the
    orders were admitted with, `until_ms` how long the leases hold."""

    target_w: int
    limits: SiteLimits
    bound: Limits
    house_w: int | None
    until_ms: int


def command(
    task: Task, members: list[Member], able: Sequence[Member], view: View, site: Site
) -> tuple[int, tuple[Cause, ...]]:
    """Give each that is `able` its part; what all are told together, and why it is not the target."""
    views = {m.name: view.of(m.devices) for m in members}
    for member in members:
        member.remember(views[member.name])
        if member not in able:
            member.release()
    moments = {
        m.name: sense.moment(views[m.name], site, task.limits, m.hand, m.devices, task.bound, task.house_w)
        for m in able
    }
    target_w, causes = envelope.clipped(task.target_w, moments[able[0].name])
    parts = split.split(target_w, [m.share(moments[m.name], views[m.name]) for m in able])
    decided: dict[str, int] = {}
    # 1: who gives way is decided first, so that nobody takes room that is not free yet.
    order = sorted(zip(able, parts, strict=True), key=lambda pair: abs(pair[1]) - abs(pair[0].hold.power_w))
    for member, part_w in order:
        moment = replace(
            moments[member.name],
            site=ramped(task.limits, part_w, target_w),
            others=worst(members, decided, member, view.now_ms),
        )
        decided[member.name], why = _decide(member, part_w, moment, task)
        causes += why
    total_w = sum(decided.values())
    if total_w != task.target_w and any(member.blind for member in able):
        causes += (Cause.STALE_LIMIT,)
    return total_w, tuple(dict.fromkeys(causes))


def _decide(member: Member, part_w: int, moment: Moment, task: Task) -> tuple[int, tuple[Cause, ...]]:
    """One battery's power. 2, 13: what is needed and not known leads to its fallback at once, also where
    its part is nothing because of it."""
    outcome = member.decide(part_w, moment, blind=member.lacks(task.target_w, moment))
    if member.blind:
        member.hand.release()
        return 0, outcome.causes
    member.hand.desire(outcome.power_w, task.until_ms)
    return outcome.power_w, outcome.causes
