"""Signed records, as exported: by sequence in pages, and the newest."""

from typing import Any

from gateway.evidence.shown import shown
from gateway.store import Store, records
from gateway.store.records import Entry, RecordState
from gateway.uplink.http.spec import Answer, Ask, Refused


class Evidence:
    """Reads `store`. A record whose signature is not durable yet is not told of."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, ask: Ask) -> Answer:
        after, limit = ask.args["after"], ask.args["limit"]
        found = await self._store.call(records.entries, after, limit)
        signed = [entry for entry in found if entry.state is not RecordState.PENDING]
        more = len(found) == limit and len(signed) == len(found)
        return Answer(
            {
                "records": [_shown(entry) for entry in signed],
                "next": signed[-1].record.sequence if more else None,
            }
        )

    async def latest(self, _: Ask) -> Answer:
        record = await self._store.call(records.last_signed)
        entry = await self._store.call(records.entry, record.sequence) if record else None
        if entry is None:
            raise Refused(404, "no record has been signed yet")
        return Answer(_shown(entry))


def _shown(entry: Entry) -> dict[str, Any]:
    return {**shown(entry.record), "state": entry.state.value}
