"""Which batteries advertise nearby, and which profiles the services they name fit. Connects to nobody."""

from drivers.ble.radio import Radio
from drivers.ble.url import ADAPTER
from gateway.recognising import Match, Profiles, Sighting


async def nearby(radio: Radio, limit_s: float, profiles: Profiles) -> list[Sighting]:
    """Everybody who was heard, the strongest first. Makes share services: then several profiles fit."""
    services = {name: (p.role, gatt.service) for name, p in profiles.items() if (gatt := p.table().gatt)}
    found = []
    for address, said in (await radio.everyone(limit_s)).items():
        named = {uuid.lower() for uuid in said.service_uuids}
        matches = [
            Match(name, role, 1, {"vendor": profiles[name].vendor, "model": said.local_name or ""})
            for name, (role, service) in services.items()
            if service in named
        ]
        link = f"ble://{address}" + ("" if radio.name == ADAPTER else f"?adapter={radio.name}")
        found.append(Sighting(link, said.local_name or "", said.rssi, matches))
    return sorted(found, key=lambda one: -one.rssi)
