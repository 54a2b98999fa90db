"""Host names of devices, asked anew for each connection: by the system's resolver, in threads of its own.

What getaddrinfo knows is known here: DNS, /etc/hosts, and names in `.local` where the system has mDNS. It may
hang for as long as it likes: a name has one thread at most, which neither the loop nor the end of the process
waits for, nor whoever needs the loop's own threads. It refuses to remember an answer: what moved is what a
name is for.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.addresses import literal
from gateway.errors import LinkError

ANSWER_S = 6.0  # an mDNS responder or a second DNS server is asked within 5
ADDRESSES_MAX = 4  # of one name that are tried

Ask = Callable[[str], list[str]]  # blocks; OSError when there is no such name
Resolve = Callable[[str], Awaitable[list[str]]]


def ask_system(host: str) -> list[str]:
    """The addresses of a host in the order in which they are to be tried."""
    found = []
    for _, _, _, _, place in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
        scope = f"%{place[3]}" if len(place) == 4 and place[3] else ""  # of an address of one network alone
        found.append(f"{place[0]}{scope}")
    return found


class Names:
    """`ask` is called in a thread. One for a process: names that several links share are asked for once."""

    def __init__(self, ask: Ask = ask_system, answer_s: float = ANSWER_S) -> None:
        self._ask, self._answer_s = ask, answer_s
        self._asking: dict[str, asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """One to ADDRESSES_MAX. LinkError when the name is not known, or nobody says in time."""
        if literal(host):
            return [host]
        asked = self._asking.get(host) or self._begin(host)
        try:
            async with asyncio.timeout(self._answer_s):
                found = await asyncio.shield(asked)
        except TimeoutError:
            raise LinkError(f"nobody says within {self._answer_s:g} s where {host} is") from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise LinkError(f"where {host} is, is not known: {why}") from None
        return list(dict.fromkeys(found))[:ADDRESSES_MAX]

    def _begin(self, host: str) -> asyncio.Future[list[str]]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()
        answer.add_done_callback(lambda done: self._ended(host, done))
        self._asking[host] = answer

        def work() -> None:
            try:
                found: list[str] | OSError | UnicodeError = self._ask(host)
            except (OSError, UnicodeError) as error:
                found = error
            with suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(_settle, answer, found)

        threading.Thread(target=work, name=f"where is {host}", daemon=True).start()
        return answer

    def _ended(self, host: str, answer: asyncio.Future[list[str]]) -> None:
        del self._asking[host]
        if not answer.cancelled():
            answer.exception()  # seen, also when nobody waits any more


def _settle(answer: asyncio.Future[list[str]], found: list[str] | OSError | UnicodeError) -> None:
    if isinstance(found, Exception):
        answer.set_exception(found)
    elif found:
        answer.set_result(found)
    else:
        answer.set_exception(OSError("it has no address"))


SYSTEM = Names()
