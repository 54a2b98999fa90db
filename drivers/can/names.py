"""The messages and signals of a DBC by the names that a profile uses. Pure.

It refuses what is not there, with the name that comes nearest, what could be meant twice, and a signal that
no frame could bring.
"""

from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches

from drivers.can.codec import Place
from drivers.can.dbc import Dbc, Message, Signal

WAYS_SHOWN = 4


class Names:
    """Of one file. ValueError, in words for who wrote the name, where it means nothing here."""

    def __init__(self, dbc: Dbc) -> None:
        self._file = dbc.file
        self._messages = {message.name: message for message in dbc.messages}
        self._signals: dict[str, list[Signal]] = defaultdict(list)
        for message in dbc.messages:
            for signal in message.signals:
                self._signals[signal.name].append(signal)
                self._signals[f"{message.name}.{signal.name}"].append(signal)

    def signal(self, name: str) -> tuple[Signal, Place]:
        """The one that is meant, and where its bits are."""
        if name not in self._signals:
            raise ValueError(f"{self._file} has no signal {name!r}{_near(name, self._signals)}")
        found, *others = self._signals[name]
        if others:
            ways = " or ".join(f"{s.message}.{s.name}" for s in [found, *others][:WAYS_SHOWN])
            raise ValueError(f"{name} is in {1 + len(others)} messages: write {ways}")
        if found.place is None:
            raise ValueError(f"{self.told(found)} {found.trouble}")
        return found, found.place

    def message(self, name: str) -> Message:
        if name not in self._messages:
            raise ValueError(f"{self._file} has no message {name!r}{_near(name, self._messages)}")
        return self._messages[name]

    def told(self, signal: Signal) -> str:
        """With its place, for messages."""
        return f"{signal.name} ({self._file}:{signal.line})"


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
