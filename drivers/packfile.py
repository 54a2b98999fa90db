"""What profiles of BMSs say alike of their pack, whatever carries the frames, checked while they are read.

It refuses a family that states no limits without an allowance, an allowance beside one that does, and
derating over what the family does not tell. A running site does not load it.
"""

from typing import Annotated

from pydantic import Field

from drivers.bms.family import Family
from drivers.bms.values import Allowance, names
from drivers.profile import ProfileBase, Strict

Current = Annotated[int, Field(ge=0, le=1_200_000)]
Negate = Annotated[
    bool,
    Field(
        description="this board counts its current the other way round than others of its family:"
        " there are firmwares that do"
    ),
]


class AllowanceFile(Strict):
    """What the pack takes while its BMS allows it."""

    charge_ma: Current
    discharge_ma: Current

    def plain(self) -> Allowance:
        return Allowance(self.charge_ma, self.discharge_ma)


def check_pack(profile: ProfileBase, named: str, family: Family, allowance: AllowanceFile | None) -> None:
    """ValueError with what to write. `named` is the family as the profile names it."""
    if not family.tells_limits and allowance is None:
        raise ValueError(f"{named} states no limits: write the pack's own as allowance")
    if family.tells_limits and allowance is not None:
        raise ValueError(f"{named} states its limits itself: leave out allowance")
    if lacking := profile.unmeasured(names(family)):
        raise ValueError(f"derating is over {lacking[0]}, which {named} does not tell")
