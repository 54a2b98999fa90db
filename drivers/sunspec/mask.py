"""The serial number of a SunSpec device out of a capture: SN of its common model, wherever its map begins.

The map's place is learned from the events themselves, as a driver learns it: the marker stands before it.
"""

from drivers.mask import Place, blank, read_of
from drivers.sunspec.scan import MARKER
from gateway.tape import Event

SN_AT, SN_COUNT = 50, 16  # registers from the model's ID on, by the common model of the SunSpec specification


class Mask:
    """One capture's events, in their order."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[Place, ...]] = {}  # by unit: a gateway shows several maps

    def of(self, event: Event) -> Event:
        read, unit = read_of(event), event.get("unit", 0)
        if read and (at := read[2].find(MARKER)) >= 0 and at % 2 == 0:
            common = read[1] + (at + len(MARKER)) // 2
            self._places[unit] = (Place(read[0], common + SN_AT, SN_COUNT, unit),)
        return blank(event, self._places.get(unit, ()))
