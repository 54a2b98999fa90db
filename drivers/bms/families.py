"""All families of BMS frames by name: a profile says which one its device speaks."""

from collections.abc import Mapping

from drivers.bms.family import Family
from drivers.bms.jbd import JBD

FAMILIES: Mapping[str, Family] = {family.name: family for family in (JBD,)}
