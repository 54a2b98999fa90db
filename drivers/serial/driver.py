"""One BMS on a serial port as a Driver: asks what its family asks, believes what answers.

Owns the assembler of its device and what was learned at connecting: which optional requests it answers. A
poll is all of its requests or none: one that is not answered is a LinkError and no sample, so that nothing
old is ever told as new. What noise could have made, because the family's sum is weak, must be told twice. It
refuses to command: a BMS takes no setpoints here.
"""

from collections.abc import Mapping

from drivers.bms.families import FAMILIES
from drivers.bms.family import Frame, Request, Values
from drivers.bms.values import cautious, finish, jumps, limited, names
from drivers.serial.link import NoAnswer, Wire
from drivers.serial.plan import address
from drivers.serial.table import SerialTable
from gateway.clock import Clock
from gateway.errors import DeviceRefused, FrameError, LinkError
from gateway.model import Point, Points, Sample
from gateway.site import Device

ATTEMPTS = 2  # of an optional request at connecting: what is left out is missed until the next one


class SerialDriver:
    """A Driver (gateway.driver)."""

    pushed = False

    def __init__(self, device: Device, profile: SerialTable, link: Wire, clock: Clock) -> None:
        self._device, self._profile, self._link, self._clock = device, profile, link, clock
        self._family = FAMILIES[profile.family]
        self._address = address(device, self._family)
        link.run_at(profile.bauds)
        self._assembler = self._family.assembler()
        self._requests: tuple[Request, ...] = ()
        self._before: Values = {}  # what the last poll told
        self._undecoded = 0
        self._damaged = 0  # in the assemblers of sessions before
        self.points: Points = tuple(Point(device.name, name) for name in names(self._family))

    @property
    def dropped(self) -> int:
        """Frames that could not be believed: damaged, or not what they should be."""
        return self._undecoded + self._damaged + self._assembler.dropped

    async def connect(self) -> Mapping[str, str]:
        """Learn who it is and which optional requests it answers, and read once: a wrong family shows now."""
        self._damaged += self._assembler.dropped
        self._assembler = self._family.assembler()
        self._before = {}
        found = {"vendor": self._profile.vendor, "model": self._profile.model}
        asked = self._family.requests(self._address)
        await self._ask(asked[0])  # one that is not there costs the others on its wire no more than this
        for request in self._family.introduction(self._address):
            if (data := await self._if_answered(request)) is not None:
                texts = self._family.texts(request.kind, data)
                found |= {key: text for key, text in texts.items() if text}
        self._requests = tuple([r for r in asked if not r.optional or await self._if_answered(r) is not None])
        self._before = await self._poll()
        return found

    async def read(self) -> Sample:
        """One poll: every request, then one sample of all answers."""
        stamp = self._clock.now()  # before the wire: an age is never understated
        values, qualities = finish(self._family, await self.told())
        return Sample(self._device.name, stamp, self.points, values, qualities)

    async def told(self) -> Values:
        """What all answers of one poll tell together, and what it makes of the limits."""
        if not self._before:
            self._before = await self._poll()
        before, self._before = self._before, await self._poll()
        told, profile = cautious(self._before, before), self._profile
        return limited(self._family, told, profile.allowance, negate=profile.negate)

    def refresh(self) -> None:
        """The next poll asks twice: it compares with nothing that was told before."""
        self._before = {}

    async def close(self) -> None:
        """Nothing of its own: the link belongs to all devices on it."""

    async def _poll(self) -> Values:
        told: Values = {}
        for request in self._requests:
            told |= await self._told(request)
        return told

    async def _told(self, request: Request) -> Values:
        """What answers a request; twice, where it is far from what the poll before told."""
        steady = self._family.steady
        told = self._family.decode(request.kind, await self._ask(request))
        if jumps(told, self._before, steady):
            first, told = told, self._family.decode(request.kind, await self._ask(request))
            if jumps(told, first, steady):
                raise LinkError(f"{self._device.name}: {request.name} was answered in two ways")
        return told

    async def _if_answered(self, request: Request) -> bytes | None:
        """What an optional request brings; None if this device does not answer it, nor when asked again."""
        for _ in range(ATTEMPTS if request.optional else 1):
            try:
                return await self._ask(request)
            except DeviceRefused:
                if not request.optional:
                    raise
                break
            except NoAnswer:
                if not request.optional:
                    raise
        return None

    async def _ask(self, request: Request) -> bytes:
        self._assembler.reset()
        frame = await self._link.ask(
            request.data,
            lambda data: self._answer(request, data),
            gap_ms=self._profile.gap_ms,
            timeout_s=self._device.timeout_ms / 1000,
            reply_max=request.reply_max,
        )
        if frame.refused:
            raise DeviceRefused(
                f"{self._device.name}: it refuses {request.name}, code {frame.refused:#x}", frame.refused
            )
        return frame.data

    def _answer(self, request: Request, data: bytes) -> Frame | None:
        """The frame in `data` that answers; what else there is, others said to others. Without data the wire
        is silent: what answers may stand behind a beginning that was none."""
        for frame in self._assembler.feed(data) if data else self._assembler.beyond():
            if request.answered_by(frame, self._address) and (frame.refused or self._fits(request, frame)):
                return frame
        return None

    def _fits(self, request: Request, frame: Frame) -> bool:
        """Whether it decodes: a reply that does not say what it answers may be another master's."""
        try:
            self._family.decode(request.kind, frame.data)
        except FrameError:
            self._undecoded += 1
            return False
        return True
