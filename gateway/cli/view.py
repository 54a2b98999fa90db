"""A person's picture of a running site: the daemon's status as a Rich renderable.

Pure: takes the status object of the local socket and returns something to print. Used by `gridseal status`
and by the demo. Signs are said in words, because a minus sign has misled people at every product before.
What devices, chains and brokers call themselves is shown as they say it, never as markup or as a control
sequence of the terminal.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway import narrate, units
from gateway.analytics.figures import Severity

BAR = 24
FULL_SCALE_W = 10_000

Status = Mapping[str, Any]


def render(status: Status) -> RenderableType:
    """The whole picture: power flows, service, evidence, figures of the day, devices."""
    top = Columns([_flows(status), _service(status)], equal=False, expand=False, padding=(0, 1))
    return Group(top, _evidence(status), *_performance(status), _devices(status))


def words(name: str, power_w: int | None) -> str:
    """A power with its direction in words: words("battery", -3000) is "charging"."""
    if power_w is None:
        return "unknown"
    positive, negative = {
        "battery": ("discharging", "charging"),
        "grid": ("importing", "exporting"),
        "pv": ("producing", "consuming"),
        "load": ("consuming", "feeding"),
    }[name]
    return positive if power_w > 0 else negative if power_w < 0 else "at rest"


def _plain(said: str, style: str = "") -> Text:
    return Text(narrate.plain(said), style=style)


def _flows(status: Status) -> RenderableType:
    figures = status["site_figures"]
    table = Table(box=None, pad_edge=False, show_header=False)
    colors = {"pv": "yellow", "battery": "green", "grid": "magenta", "load": "cyan"}
    for name, color in colors.items():
        power = figures.get(f"{name}_power_w")
        length = min(BAR, round(abs(power or 0) * BAR / FULL_SCALE_W))
        bar = Text("█" * length + "·" * (BAR - length), style=color if power is not None else "dim")
        shown = "-" if power is None else units.show(abs(power), "w")
        table.add_row(name, bar, Text(shown, justify="right"), words(name, power))
    soc = figures.get("battery_soc_bp")
    filled = max(0, min(BAR, round((soc or 0) * BAR / 10_000)))
    level = Text("▰" * filled + "▱" * (BAR - filled), style="bold green" if soc is not None else "dim")
    table.add_row("SoC", level, Text("-" if soc is None else units.show(soc, "bp"), justify="right"), "")
    frequency = figures.get("grid_frequency_mhz")
    table.add_row("frequency", Text("-" if frequency is None else units.show(frequency, "mhz")), "", "")
    return Panel(table, title=_plain(status["site"], "bold"), title_align="left")


def _service(status: Status) -> RenderableType:
    control = status["control"]
    table = Table(box=None, pad_edge=False, show_header=False)
    command = control.get("command")
    if command:
        table.add_row("service", _plain(command["kind"], "bold"))
        table.add_row("ordered by", _plain(command["origin"] or command["source"]))
        table.add_row("ends in", f"{max(0, control['remaining_ms']) / 1000:.0f} s")
        for other in control["beside"]:
            table.add_row("beside it", _plain(f"{other['kind']} ({other['origin'] or other['source']})"))
    else:
        table.add_row("service", Text("none: the device's own control", style="dim"))
    table.add_row("target", _power(control["target_w"]))
    table.add_row("commanded", _power(control["commanded_w"]))
    table.add_row("measured", _power(control["measured_w"]))
    causes = ", ".join(control["causes"]) or "nothing"
    table.add_row("curtailed by", Text(causes, style="yellow" if control["causes"] else "dim"))
    if control["reactive_var"]:
        var = control["reactive_var"]
        table.add_row("reactive", f"{units.show(abs(var), 'var')} {'injected' if var > 0 else 'absorbed'}")
    if control["shed"]:
        table.add_row("loads off", _plain(", ".join(control["shed"]), "yellow"))
    if control["grid"]:
        table.add_row("grid", Text(f"{control['grid']}: services wait", style="yellow"))
    for doubt in control["doubts"]:
        table.add_row("not believed", _plain(doubt, "yellow"))
    if control["fault"]:
        table.add_row(
            "STOPPED" if control["mode"] == "stopped" else "FAULT", _plain(control["fault"], "bold red")
        )
        if "gridseal" not in control["fault"]:  # else it says itself what to do
            table.add_row("", Text("gridseal setpoint SITE --release ends it", style="dim"))
    return Panel(table, title="service", title_align="left")


def _power(power_w: int | None) -> str:
    return "-" if power_w is None else f"{units.show(abs(power_w), 'w')} {words('battery', power_w)}"


def _evidence(status: Status) -> RenderableType:
    store, records, chain = status["store"], status["records"], status.get("chain")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("readings stored", f"{store['readings']:,}")
    table.add_row("written to the card", _card(store["card"]))
    if store["card"]["note"]:
        table.add_row("maintenance", _plain(store["card"]["note"], "yellow"))
    table.add_row("records signed", f"{records['signed']:,}  (last sequence {records['sequence']})")
    if chain:
        table.add_row("confirmed on chain", f"{chain['confirmed']:,}")
        table.add_row("last transaction", _plain(chain["last_transaction"] or "-"))
        table.add_row("commands from chain", f"{chain['commands']:,}")
    return Panel(table, title=f"evidence  [dim]clock {status['clock'].lower()}[/]", title_align="left")


def _card(card: Status) -> str:
    day, lasts = card["day_bytes"], card["life_days"]
    if day is None:
        return f"{units.size(card['total_bytes'])}; a day's worth is known in an hour"
    how = "" if card["measured"] else ", reckoned"
    years = "" if lasts is None else f": it lasts {units.days(lasts)}"
    return f"{units.size(day)} a day{how}{years}"


def _performance(status: Status) -> list[RenderableType]:
    """Today's figures and what a technician should see to; nothing before the first interval is sealed."""
    found = status["performance"]
    day, alerts = (found["day"], found["alerts"]) if found else (None, ())
    if day is None:
        return []
    table = Table(box=None, pad_edge=False, show_header=False)
    energies = (units.show(day[name], "wh") for name in ("charged_wh", "discharged_wh"))
    table.add_row("charged, discharged", ", ".join(energies))
    shares = {"round trip": "efficiency_bp", "state of health": "soh_bp", "available": "availability_bp"}
    for name, field in shares.items():
        if day[field] is not None:
            table.add_row(name, units.show(day[field], "bp"))
    for alert in alerts:
        style = "bold red" if alert["severity"] == Severity.CRITICAL else "yellow"
        table.add_row(_plain(alert["severity"], style), _plain(alert["text"], style))
    return [Panel(table, title="today (UTC)", title_align="left")]


def _devices(status: Status) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for heading in ("device", "state"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it is, and what is wrong")
    for name, device in status["devices"].items():
        state = Text("online", style="green") if device["online"] else Text("offline", style="bold red")
        table.add_row(_plain(name), state, Text("\n").join(_about(device, status["commissioned"].get(name))))
    for name, trouble in status["troubles"].items():
        table.add_row(_plain(name), Text("waiting", style="yellow"), _plain(trouble, "yellow"))
    return Panel(table, title="devices", title_align="left")


def _about(device: Status, day: str | None) -> Iterator[Text]:
    """`day` of its commissioning; None: nothing to commission."""
    proven = "" if day is None else f"commissioned {day}" if day else "not commissioned"
    if said := ", ".join(text for text in (device["identity"], proven) if text):
        yield _plain(said)
    if device["found_at"]:
        yield _plain(f"found at {device['found_at']}: site.yaml says another", "yellow")
    if device["error"]:
        yield _plain(device["error"], "yellow")
