"""What is known of whom a device's link leads to: on which of its connections the device said who it is.

A link counts its connections, and one that is new may lead to another device. The device's task notes here on
which it was identified, and the link of that device asks here whom it may use. It refuses to identify.
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


@runtime_checkable
class Guarding(Protocol):
    """A plugin that opens links on which one connection may lead to another device than the last."""

    def guarded(self, link: Any, standing: Standing) -> Link:
        """The same link for one device. Before it is identified nothing is written; from then on nothing is
        asked but on that connection, and none is opened for it (Unidentified)."""
        ...
