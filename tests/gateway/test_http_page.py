"""The status page in a real browser: what it draws from the status, under its own content policy."""

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests import tools
from tests.gateway.http_site import served


class Text(HTMLParser):
    """What of a page is to be read: its text, without what is hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "noscript") or "hidden" in dict(attrs):
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and self._hidden[-1] == tag:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.found.append(data.strip())


async def drawn(folder: Path, url: str) -> tuple[str, str]:
    """The text of the page after its script ran, and what the browser complained of."""
    child = await asyncio.create_subprocess_exec(
        tools.need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP meadow.lan 127.0.0.1",
        "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(100):
        out, log = await child.communicate()
    page = Text()
    page.feed(out.decode())
    wrong = re.findall(r".*CONSOLE.*(?:Refused|violates|Uncaught|Failed|Error).*", log.decode())
    return " | ".join(page.found), "\n".join(wrong)


@pytest.mark.timeout(220)
async def test_the_machine_itself_sees_everything(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        text, console = await drawn(tmp_path, site.url + "/")
    assert console == ""
    for said in (
        "mocked", "running an order", "2.36 kW", "charging, 52 %", "fixed-power", "3.00 kW charging",
        "2.40 kW charging", "Held back by bms limit, ramp.", "Fault: stop by ada.", "bms does not answer.",
        "10.0.0.9: no answer", "Not believed: meter: 9 kW", "chain: rpc.example: away", "6 of 8 confirmed",
        "310 MB a day written, lasts 1.9 years", "the card's endurance lasts 23 months",
        "Maintenance: a fan fails (since 2024-10-04).", "Maintenance: a ground fault (since 1970-01-01).",
        "8500 Wh | 456.5 kWh", "22.80", "Round trip | 90.0 % | 90.0 %",
        "Usable capacity | – | 10.0 kWh ± 1.0 %",
        "99.0 %, 100.0 % measured", "Cell imbalance | 20 mV", "– | 18.0 to 26.0 °C", "Availability | 100.0 %",
        "State of health since 2023-12-09: 99.0 % to 97.5 %, −1.8 % a year (−2.4 % to −1.2 %).",
    ):  # fmt: skip
        assert said in text, said
    assert "NaN" not in text and "undefined" not in text
    assert "Emergency stop" not in text  # only who gave the token is offered it


@pytest.mark.timeout(220)
async def test_others_see_the_site_and_no_setpoint(tmp_path: Path) -> None:
    async with served(tmp_path, hosts=("meadow.lan",)) as site:
        text, console = await drawn(tmp_path, f"http://meadow.lan:{site.server.port}/")
    assert console == ""
    for said in ("mocked", "2.36 kW", "its details need the token", "bms does not answer.", "8 signed"):
        assert said in text, said
    for hidden in ("Held back", "3.00 kW", "2.40 kW", "ada", "10.0.0.9", "rpc.example", "fixed-power"):
        assert hidden not in text, hidden
