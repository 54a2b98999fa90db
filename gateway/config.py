"""From site.yaml to the frozen Site: profiles found, cross-checks made, paths resolved.

`load` reports every problem of the file and of the profiles it names at once, each with file, line and
column. Nothing here reaches a device or the network. After loading only gateway.site objects remain.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from gateway import chainfile, httpfile, keyfile, profilefile, site, units, whereabouts, yamlfile
from gateway.driver import Plan, Plugin, Profile, find_plugins, seated_twice
from gateway.errors import ConfigError, Problem
from gateway.model import ServiceKind, SetpointSpec
from gateway.services import presets, words
from gateway.sitefile import DAYS, DeviceModel, LoadModel, MqttModel, SiteFile, SlotModel

POLL_MAX_MS = 4000  # a reading counts for 5 s, and an exchange takes its time
NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
TAKEN = frozenset({"status", "record", "order"})  # topics of a site at the MQTT broker, beside its devices


def load(path: Path, plugins: Mapping[str, Plugin] | None = None) -> site.Site:
    """Read site.yaml and its profiles. ConfigError with all problems; reaches nothing but files."""
    document = yamlfile.read(path)
    problems: list[Problem] = []
    found = find_plugins() if plugins is None else plugins

    @cache  # each is read once, and is one table, however many devices share it
    def profile_of(name: str) -> tuple[Plugin, Profile, Any, bytes]:
        document = profilefile.find(name, path.parent, found)
        plugin, profile = profilefile.read(document, found)
        return plugin, profile, profile.table(), profilefile.digest(document.data)

    try:
        parsed = yamlfile.validate(document, SiteFile)
    except ConfigError as error:  # profiles and links do not wait for the rest to be right
        problems.extend(error.problems)
        entries = _readable(document)
        for name, entry in entries.items():
            _device(document, profile_of, name, entry, problems)
        whereabouts.wired(document, entries, found, problems)
        raise _every(problems) from None
    devices = tuple(
        device
        for name, entry in parsed.devices.items()
        if (device := _device(document, profile_of, name, entry, problems))
    )
    problems.extend(whereabouts.unfindable(document, parsed, found))
    usable = whereabouts.wired(document, parsed.devices, found, problems)
    commanded = _commanded(document, [d for d in devices if d.name in usable], found, problems)
    _check_site(document, parsed, devices, commanded, problems)
    if problems:
        raise _every(problems)
    return _site(parsed, devices, tuple(commanded), path.parent)


def _every(problems: list[Problem]) -> ConfigError:
    return ConfigError("", tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column))))


def _readable(document: yamlfile.Document) -> dict[str, DeviceModel]:
    """Of a file that is wrong somewhere: the devices whose profile and link can be looked at."""
    data = document.data if isinstance(document.data, dict) else {}
    said = data.get("devices")
    found = {}
    for name, entry in said.items() if isinstance(said, dict) else ():
        with suppress(ValidationError):
            known = {key: entry.get(key) for key in ("profile", "link")} if isinstance(entry, dict) else {}
            found[str(name)] = DeviceModel.model_validate(known)
    return found


def _device(
    document: yamlfile.Document,
    profile_of: Callable[[str], tuple[Plugin, Profile, Any, bytes]],
    name: str,
    entry: DeviceModel,
    problems: list[Problem],
) -> site.Device | None:
    here = ("devices", name)
    if not NAME.fullmatch(name):
        problems.append(document.problem(here, f"{name!r}: a device name is a-z, 0-9, - and _, at most 32"))
    if name in TAKEN:
        problems.append(document.problem(here, f"{name!r} is no name for a device: the site itself has it"))
    try:
        plugin, profile, table, said = profile_of(entry.profile)
    except ConfigError as error:
        problems.extend(error.problems or (document.problem((*here, "profile"), str(error)),))
        return None
    try:
        scheme = urlsplit(entry.link).scheme
    except ValueError as error:
        problems.append(document.problem((*here, "link"), f"{entry.link!r} is not a URL: {error}"))
        return None
    if scheme not in plugin.schemes:
        message = f"{entry.profile} needs a link of {', '.join(sorted(plugin.schemes))}, not {entry.link!r}"
        problems.append(document.problem((*here, "link"), message))
        return None
    return site.Device(
        name=name,
        profile_name=entry.profile,
        kind=plugin.kind,
        role=profile.role,
        link=entry.link,
        profile=table,
        unit=entry.unit,
        serial=entry.serial.strip(),
        find=entry.find or (),
        poll_ms=entry.poll,
        timeout_ms=entry.timeout,
        control=entry.control,
        timer_s=entry.timer // 1000,
        contact=profile.role == "relay" and bool(table.contacts),
        of=entry.of,
        derating=profile.curves(),
        cells=profile.cells,
        profile_digest=said,
    )


def _check_site(
    document: yamlfile.Document,
    parsed: SiteFile,
    devices: tuple[site.Device, ...],
    commanded: Mapping[str, SetpointSpec],
    problems: list[Problem],
) -> None:
    soc = parsed.site.soc
    if soc.min + 2 * soc.hysteresis >= soc.max:
        problems.append(
            document.problem(("site", "soc"), "min and max leave no room for the hysteresis between them")
        )
    if parsed.site.temperature_min >= parsed.site.temperature_max:
        here = ("site", "temperature min")
        problems.append(document.problem(here, "the minimum must be below the maximum"))
    if parsed.chain and not parsed.attest.key:
        problems.append(
            document.problem(("chain",), "a chain needs attest: {key: …}; make it with `gridseal keys new`")
        )
    if words := chainfile.unheard(parsed.chain, served=parsed.http is not None):
        problems.append(document.problem(("chain", "records"), words))
    if parsed.remote and not (parsed.mqtt or parsed.http):
        message = "signed orders come by MQTT or HTTP: add mqtt: {url: …} or http: {}"
        problems.append(document.problem(("remote",), message))
    limits = parsed.site.limits
    for word, limit in (("charge", limits.charge), ("discharge", limits.discharge)):
        own = sum(getattr(spec, f"{word}_max_w") for spec in commanded.values())
        known = commanded and all(getattr(spec, f"{word}_max_w") for spec in commanded.values())
        if known and limit > own:
            names = " and ".join(commanded)
            message = f"{word} limit {units.show(limit, 'w')} is above the {units.show(own, 'w')} of {names}"
            problems.append(document.problem(("site", "limits", word), message, "lower it to the nameplate"))
    if parsed.site.islanding == "allowed" and len(commanded) != 1:
        message = f"an island needs exactly one commanded inverter: there are {len(commanded)}"
        problems.append(document.problem(("site", "islanding"), message))
    _check_batteries(document, devices, tuple(commanded), problems)
    _check_polls(document, devices, tuple(commanded), problems)
    _check_loads(document, parsed, devices, problems)
    _check_schedule(document, parsed, problems)


def _check_schedule(document: yamlfile.Document, parsed: SiteFile, problems: list[Problem]) -> None:
    try:
        ZoneInfo(parsed.site.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"there is no time zone {parsed.site.timezone!r}: write it like Europe/Berlin"
        problems.append(document.problem(("site", "timezone"), message))
    for name, slot in parsed.schedule.items():
        try:
            _parameters(slot)
        except ValueError as error:
            problems.append(document.problem(("schedule", name), str(error)))


def _parameters(slot: SlotModel) -> Mapping[str, int]:
    if slot.service is ServiceKind.STOP:
        raise ValueError("a stop cannot be scheduled: nothing but a person would end it")
    if slot.service in (ServiceKind.ISLAND, ServiceKind.RECONNECT):
        raise ValueError(f"{slot.service} cannot be scheduled: the grid connection is decided by order alone")
    return words.parameters(slot.service, slot.parameters, presets.of(slot.service, slot.preset))


def _check_loads(
    document: yamlfile.Document, parsed: SiteFile, devices: tuple[site.Device, ...], problems: list[Problem]
) -> None:
    """A load hangs on a relay that exists and that no other load hangs on."""
    relays = {d.name: {c.channel for c in d.profile.relays} for d in devices if d.role == "relay"}
    taken: dict[str, str] = {}
    for name, load in parsed.loads.items():
        here = ("loads", name, "relay")
        device, _, channel = load.relay.partition("/")
        if device not in relays:
            known = ", ".join(relays) or "none"
            problems.append(document.problem(here, f"there is no relay device {device!r}; here: {known}"))
        elif channel not in relays[device]:
            known = ", ".join(sorted(relays[device]))
            problems.append(document.problem(here, f"{device} has no relay {channel!r}; it has: {known}"))
        elif (other := taken.setdefault(load.relay, name)) != name:
            problems.append(document.problem(here, f"{load.relay} switches {other} already"))


def _commanded(
    document: yamlfile.Document,
    devices: Iterable[site.Device],
    plugins: Mapping[str, Plugin],
    problems: list[Problem],
) -> dict[str, SetpointSpec]:
    """The devices that will be given setpoints. A link that does not go with its profile is a problem."""
    found: dict[str, SetpointSpec] = {}
    plans: list[tuple[site.Device, Plan]] = []
    for device in devices:
        try:
            plan = plugins[device.kind].plan(device, device.profile)
        except ConfigError as error:
            problems.append(document.problem(("devices", device.name, "link"), str(error)))
            continue
        plans.append((device, plan))
        if device.serial and not plan.named:
            message = f"{device.profile_name} does not say where such a device tells its serial number"
            problems.append(document.problem(("devices", device.name, "serial"), message, "leave it out"))
        if device.control and plan.setpoint is not None:
            found[device.name] = plan.setpoint
    problems += [document.problem(("devices", name), text) for name, text in seated_twice(plans)]
    return found


def _check_polls(
    document: yamlfile.Document,
    devices: tuple[site.Device, ...],
    commanded: tuple[str, ...],
    problems: list[Problem],
) -> None:
    """What limits a battery must be heard often enough to be known at all times."""
    for device in devices if commanded else ():
        needed = device.name in commanded or device.role in ("battery", "meter")
        if needed and device.poll_ms > POLL_MAX_MS:
            message = f"what is older than 5 s is unknown: poll it each {POLL_MAX_MS // 1000} s or oftener"
            problems.append(document.problem(("devices", device.name, "poll"), message))


def _check_batteries(
    document: yamlfile.Document,
    devices: tuple[site.Device, ...],
    commanded: tuple[str, ...],
    problems: list[Problem],
) -> None:
    """With several inverters each battery must say which it hangs on: their limits are not each other's."""
    inverters = [d.name for d in devices if d.role == "inverter"]
    for device in devices:
        here = ("devices", device.name)
        if device.of and device.role != "battery":
            message = f"{device.name} is no battery (its profile says {device.role}): leave out `of`"
            problems.append(document.problem((*here, "of"), message))
        elif device.of and device.of not in inverters:
            message = f"there is no inverter {device.of!r}; inverters here: {', '.join(inverters) or 'none'}"
            problems.append(document.problem((*here, "of"), message))
        elif not device.of and device.role == "battery" and len(commanded) > 1:
            message = f"say which inverter this battery hangs on: `of: {commanded[0]}` (or {commanded[-1]})"
            problems.append(document.problem(here, message))


def _batteries(devices: tuple[site.Device, ...], commanded: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """The devices of each battery; nothing where there is but one."""
    inverters = dict.fromkeys([*commanded, *(d.of for d in devices if d.of)])
    if len(inverters) < 2:
        return ()
    return tuple(frozenset({name, *(d.name for d in devices if d.of == name)}) for name in inverters)


def _site(
    parsed: SiteFile, devices: tuple[site.Device, ...], commanded: tuple[str, ...], folder: Path
) -> site.Site:
    s, chain, mqtt = parsed.site, parsed.chain, parsed.mqtt
    limits = site.SiteLimits(
        charge_w=s.limits.charge,
        discharge_w=s.limits.discharge,
        import_w=s.limits.grid_import,
        export_w=s.limits.grid_export,
        ramp_w_per_s=s.limits.ramp,
        soc_min_bp=s.soc.min,
        soc_max_bp=s.soc.max,
        soc_hysteresis_bp=s.soc.hysteresis,
        dwell_ms=s.dwell,
        temperature_min_cc=s.temperature_min,
        temperature_max_cc=s.temperature_max,
    )
    kept = parsed.store
    return site.Site(
        id=s.id,
        limits=limits,
        devices=devices,
        store=site.StoreSettings(
            folder / kept.path, kept.keep // 1000, kept.size, kept.commit, kept.endurance
        ),
        attest=keyfile.settings(parsed.attest, folder),
        chain=chainfile.settings(chain, folder) if chain else None,
        mqtt=_mqtt(mqtt, folder) if mqtt else None,
        http=httpfile.settings(parsed.http, folder) if parsed.http else None,
        trust_host_clock=parsed.clock.trust == "host",
        control_ms=s.control,
        socket=folder / parsed.socket,
        signers=frozenset(address.lower() for address in parsed.remote.signers)
        if parsed.remote
        else frozenset(),
        schedule=tuple(_entry(name, slot) for name, slot in parsed.schedule.items()),
        timezone=s.timezone,
        islanding=s.islanding == "allowed",
        prices=site.PriceSettings(**parsed.prices.model_dump()) if parsed.prices else None,
        loads=tuple(_load(name, load) for name, load in parsed.loads.items()),
        batteries=_batteries(devices, commanded),
    )


def _entry(name: str, slot: SlotModel) -> site.Entry:
    hours, minutes = slot.at.split(":")
    return site.Entry(
        name,
        int(hours) * 60 + int(minutes),
        slot.for_ // 1000,
        slot.service,
        dict(_parameters(slot)),
        frozenset(DAYS.index(day) for day in slot.days),
        slot.share,
    )


def _load(name: str, load: LoadModel) -> site.Load:
    device, _, channel = load.relay.partition("/")
    return site.Load(name, device, channel, load.power, load.priority, load.min_on, load.min_off)


def _mqtt(mqtt: MqttModel, folder: Path) -> site.MqttSettings:
    parts = urlsplit(mqtt.url)
    tls = parts.scheme == "mqtts"
    return site.MqttSettings(
        host=parts.hostname or "",
        port=parts.port or (8883 if tls else 1883),
        tls=tls,
        topic=mqtt.topic,
        username=mqtt.username,
        password=_below(folder, mqtt.password),
        home_assistant=mqtt.home_assistant,
    )


def _below(folder: Path, path: Path | None) -> Path | None:
    """Relative paths in a site.yaml are relative to it."""
    return None if path is None else folder / path
