"""The grid's presence through restarts: what `outage` says, made durable, and taken up by the next process.

A gateway often hangs on the grid that it watches: it dies with it and is started by its return. So a machine
that was started again is taken for one whose grid has just come back. It refuses to hold up a cycle: what
changed goes to the journal.
"""

from gateway import outage
from gateway.journal import Journal, Store
from gateway.model import Quantity
from gateway.outage import Outage
from gateway.state import View
from gateway.store import outages


class GridWatch:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.outage = Outage()

    async def restore(self, store: Store, now_ms: int) -> None:
        """What the process before this one left. StoreError."""
        away, restarted = await store.call(outages.left, now_ms)
        self.outage = outage.restored(away, restarted=restarted, now_ms=now_ms)

    def step(self, view: View) -> None:
        """One cycle."""
        said = (measured.good for measured in view.all(Quantity.GRID_CONNECTED))
        before, self.outage = self.outage, outage.step(self.outage, said, view.now_ms)
        if bool(before) != bool(self.outage):
            self._journal.put(outages.note, bool(self.outage))
