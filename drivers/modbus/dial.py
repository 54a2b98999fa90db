"""Opening a connection to a Modbus line or host: a name may have several addresses, and some of them dead.

They are tried in the resolver's order, but first the one that answered last, and all together no longer than
one would be. It refuses to keep an address: each connection asks for the name anew.
"""

from drivers.hostname import Resolve
from drivers.modbus.session import CONNECT_S, Session
from drivers.modbus.url import LinkUrl
from gateway.errors import LinkError


class Dialler:
    """The way to one place."""

    def __init__(self, where: LinkUrl, resolve: Resolve) -> None:
        self._where, self._resolve = where, resolve
        self._last = ""

    async def open(self) -> Session:
        """LinkError when nobody takes the connection."""
        if self._where.scheme == "rtu":
            return await Session.open(self._where)
        found = await self._addresses()
        for address in sorted(found, key=lambda address: address != self._last):
            try:
                session = await Session.open(self._where, address, CONNECT_S / len(found))
            except LinkError as error:
                problem = error
                continue
            self._last = address
            return session
        raise problem

    async def _addresses(self) -> list[str]:
        try:
            return await self._resolve(self._where.host)
        except LinkError as error:
            raise LinkError(f"{self._where.url}: {error}") from None
