"""What is known of whom a device's link leads to: on which of its connections the device said who it is.

A link counts its connections, and one that is new may lead to another device. The device's task notes here on
which it was identified, and the link of that device asks here before it writes. It refuses to identify.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from gateway.driver import Link

NOBODY = -1  # no connection has this number


class Standing:
    """One device's. `connects`: how often its link was opened."""

    def __init__(self) -> None:
        self.connects: Callable[[], int] = lambda: 0
        self.identified = NOBODY

    @property
    def holds(self) -> bool:
        """Whether the device was identified on the connection that there is now."""
        return self.connects() == self.identified


@runtime_checkable
class Guarding(Protocol):
    """A plugin that opens links on which one connection may lead to another device than the last."""

    def guarded(self, link: Any, standing: Standing) -> Link:
        """The same link for one device: it writes on the connection on which that device was identified, and
        on no other, nor does it open one for a write (Unidentified)."""
        ...
