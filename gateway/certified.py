"""What the certificates in the store say of the devices that are here now, and what follows from it.

A commanded device is believed to be the one that was commissioned only while it, its meter and its battery
say the same vendor, model and serial number, under the same profiles. Else it is a latched fault in words
that no operator clears: only another commissioning does. A device without a certificate is commanded as its
profile claims. It refuses to measure anything: gateway.commissioner does that.
"""

from collections.abc import Iterable, Mapping

from gateway.evidence import certificate
from gateway.evidence.certificate import NO_SERIAL, TEXT_MAX, Commissioning, Part, Timer
from gateway.lease import Proven
from gateway.setpoint import SetpointWriter
from gateway.site import Site
from gateway.store.certificates import Certificate

RUN = "run gridseal commission"


class Certified:
    """`hands` are the commanded devices by name. `identified` is called at each connect, before a write."""

    def __init__(
        self, site: Site, hands: Mapping[str, SetpointWriter], stored: Iterable[Certificate]
    ) -> None:
        self._devices = {device.name: device for device in site.devices}
        self._hands = hands
        self._identities: dict[str, Mapping[str, str]] = {}
        self.said: dict[str, Commissioning] = {}
        for kept in stored:
            if kept.device in hands:
                self._take(kept)

    def _take(self, kept: Certificate) -> None:
        hand = self._hands[kept.device]
        if wrong := certificate.check(kept.body, kept.digest, kept.signature):
            hand.distrust(f"the certificate of {kept.device} is not as it was signed ({wrong[0]}); {RUN}")
            return
        self.adopt(certificate.read(kept.body)[2])

    def adopt(self, said: Commissioning) -> None:
        """This one is in force from now on."""
        self.said[said.device] = said
        self._hands[said.device].prove(proven(said))
        self._judge(said)

    def set_aside(self, device: str) -> Commissioning | None:
        """Somebody commissions it again: what was is no reason to refuse that. What was in force."""
        self._hands[device].prove(None)
        self._hands[device].distrust("")
        return self.said.pop(device, None)

    def identified(self, device: str, identity: Mapping[str, str]) -> None:
        self._identities[device] = identity
        for said in self.said.values():
            self._judge(said)

    def part(self, device: str) -> Part:
        """The device as it is now; gains are whoever measures' to add."""
        identity = self._identities.get(device, {})
        vendor, model = (identity.get(name, "")[:TEXT_MAX] for name in ("vendor", "model"))
        serial = certificate.serial_hash(identity.get("serial", ""))
        return Part(device, vendor, model, serial, self._devices[device].profile_digest)

    def _judge(self, said: Commissioning) -> None:
        changed = next(filter(None, (self._changed(was, proven(said).day) for was in said.parts)), "")
        self._hands[said.device].distrust(changed)

    def _changed(self, was: Part, day: str) -> str:
        """What is another than on that day, in words; a device that was not reached yet is none."""
        device = self._devices.get(was.device)
        if device is None:
            return f"{was.device} was there when commissioned on {day} and is not in site.yaml now; {RUN}"
        if device.profile_digest != was.profile:
            return f"the profile of {was.device} says other things than when commissioned on {day}; {RUN}"
        if was.device not in self._identities:
            return ""
        now = self.part(was.device)
        if (now.vendor, now.model, now.serial) == (was.vendor, was.model, was.serial):
            return ""
        before, after = (" ".join(filter(None, (p.vendor, p.model))) or "unnamed" for p in (was, now))
        serial = " with another serial number" if NO_SERIAL != now.serial != was.serial else ""
        return f"{was.device} is not what was commissioned on {day} ({before}): it is {after}{serial}; {RUN}"


def proven(said: Commissioning) -> Proven:
    day = certificate.day(said)
    # A timer is never believed longer than it was seen to last, nor over sooner than it was seen to be.
    obeyed_s = max(1, said.obeyed_ms // 1000) if said.obeyed_ms else 0
    return Proven(day, obeyed_s, -(-said.reverted_ms // 1000), said.timer is Timer.NOT_FOUND)
