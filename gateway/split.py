"""One target for several batteries: by the energy each has, inside what each may do. Pure.

It refuses to decide limits: `envelope.limit` does, for each battery, after this. Nothing here is ever of
the other sign than the target, so batteries never feed each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.model import Limits


@dataclass(frozen=True, slots=True)
class Member:
    """One battery: its limits of the moment and the energy it can give and take (Wh; 0: not known)."""

    room: Limits
    full_wh: int = 0
    empty_wh: int = 0


def split(target_w: int, members: Sequence[Member]) -> list[int]:
    """`target_w` (+ = discharging) divided among `members`; what none has room for goes to the first that
    has any, or to the first, so that its limits say why it is not done. The parts add up to the target."""
    rooms = [m.room.discharge_w if target_w > 0 else m.room.charge_w for m in members]
    energies = [m.full_wh if target_w > 0 else m.empty_wh for m in members]
    # Energy decides only if it is known of all: a battery of unknown energy is not an empty one.
    weights = energies if all(energies) else rooms
    parts = _fill(abs(target_w), rooms, weights)
    if members:
        able = next((i for i, room in enumerate(rooms) if room > 0), 0)
        parts[able] += abs(target_w) - sum(parts)
    return [part if target_w > 0 else -part for part in parts]


def _fill(whole_w: int, rooms: Sequence[int], weights: Sequence[int]) -> list[int]:
    """In proportion to the weights; whoever is full passes the rest on, rounding its watts."""
    parts = [0] * len(rooms)
    open_ = {i for i, room in enumerate(rooms) if room > 0}
    while open_:
        left, weight = whole_w - sum(parts), sum(weights[i] for i in open_)
        adding = {i: min(rooms[i] - parts[i], left * weights[i] // weight) for i in open_}
        full = {i for i in open_ if adding[i] == rooms[i] - parts[i]}
        for i, part_w in adding.items():
            parts[i] += part_w
        if not full:
            break
        open_ -= full
    for i, room in enumerate(rooms):
        parts[i] += min(room - parts[i], whole_w - sum(parts))
    return parts
