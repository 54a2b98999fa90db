"""Reads a fixed set of fields from one device, block by block, and remembers what it refuses.

A merged block that the device does not have is read in its parts from then on; one that it failed to read
this time only, until that is the rule. A single refused value is ABSENT. It owns no points and no time: the
driver stamps and names what comes out. Any other failure is the link's LinkError.
"""

from collections.abc import Sequence

from drivers.modbus.codec import Decoder, Field
from drivers.modbus.compound import Composer, Compound
from drivers.modbus.plan import HOLE_MAX, Block, Forbidden, plan, split
from gateway.driver import RegisterLink
from gateway.errors import DeviceRefused
from gateway.model import Quality

FOR_GOOD = frozenset({1, 2, 3})  # "not these registers"; a failure or a parity error may be gone by next time
FAILURES_MAX = 3  # in a row: some devices say "failure" of registers they do not have

_ABSENT = bytes([Quality.ABSENT])


class _Chunk:
    """A block, or after a refusal its parts."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.decoder = Decoder(block.fields, block.address, block.count)
        self.parts: tuple[_Chunk, ...] = ()
        self.failures = 0  # in a row

    async def read(self, link: RegisterLink, timeout_s: float) -> tuple[list[int], bytes]:
        if self.parts:
            return await _read_all(self.parts, link, timeout_s)
        block = self.block
        try:
            data = await link.read(block.unit, block.table, block.address, block.count, timeout_s=timeout_s)
        except DeviceRefused as refused:
            parts = tuple(map(_Chunk, split(block)))
            if not parts:
                return [0], _ABSENT
            self.failures += 1
            if refused.code in FOR_GOOD or self.failures >= FAILURES_MAX:
                self.parts = parts
            return await _read_all(parts, link, timeout_s)
        self.failures = 0
        return self.decoder.decode(data)


async def _read_all(
    chunks: Sequence[_Chunk], link: RegisterLink, timeout_s: float
) -> tuple[list[int], bytes]:
    values: list[int] = []
    qualities = b""
    for chunk in chunks:
        more, marks = await chunk.read(link, timeout_s)
        values += more
        qualities += marks
    return values, qualities


class Reader:
    """`fields` are what is read, by unit, table and address; `names` is the order of what comes out: those of
    them that are points, then the `compounds` of the others. `unit` is the device's own."""

    def __init__(
        self,
        unit: int,
        fields: Sequence[Field],
        forbidden: Sequence[Forbidden] = (),
        hole_max: int = HOLE_MAX,
        compounds: Sequence[Compound] = (),
    ) -> None:
        self.blocks = plan(unit, fields, forbidden, hole_max)
        self.fields = tuple(field for block in self.blocks for field in block.fields)
        self._composer = Composer(self.fields, compounds)
        self.names = self._composer.names
        self._chunks = tuple(map(_Chunk, self.blocks))

    async def read(self, link: RegisterLink, timeout_s: float) -> tuple[list[int], bytes]:
        """Canonical values and qualities, one each a name."""
        return self._composer.compose(*await _read_all(self._chunks, link, timeout_s))
