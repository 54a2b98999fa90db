"""schemathesis, from the server's own document: whatever it makes of it, no 5xx, no undeclared status, and
every answer as its schema says. With the token, and without it from another place on the network."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from gateway.evidence.typed import Gap, GapCause
from tests.gateway.http_site import BEARER, meter, served
from tests.gateway.test_http_pull import SITE, question

GOOD = {200, 401}
EXAMPLES = 25  # of each operation, each way
# Well formed is not yet right: a span that ends before it begins. Many wrong tokens are 429, not 401.
MEANT = (positive_data_acceptance, ignored_auth)
# What exists, which no generator hits upon.
KNOWN = {"id": "meter", "data": question("recordAt", SITE, 2)}
FAR = {"Host": "meadow.lan"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server in a thread of its own, as its clients here wait in this one."""
    ready, found = threading.Event(), dict[str, Any]()
    folder: Path = tmp_path_factory.mktemp("http")

    async def main() -> None:
        found["loop"], found["stop"] = asyncio.get_running_loop(), asyncio.Event()
        async with served(folder, hosts=("meadow.lan",)) as site:
            await site.keep(*[meter(n, wh=n) for n in range(20)])
            for n in range(3):
                await site.sign(Gap(n, n + 1, 0, GapCause.RESTORED))
            found["url"] = site.url
            ready.set()
            await found["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(30)
    yield found["url"]
    found["loop"].call_soon_threadsafe(found["stop"].set)
    thread.join(30)
    assert not thread.is_alive()


def statuses(operation: Any, mode: GenerationMode, who: dict[str, str]) -> set[int]:
    """Of every call that schemathesis makes of it; each is checked as it is made."""
    found: set[int] = set()

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            case.path_parameters.update({name: KNOWN[name] for name in KNOWN.keys() & case.path_parameters})
        answer = case.call_and_validate(headers=who, timeout=20, excluded_checks=[*MEANT])
        found.add(answer.status_code)

    with suppress(Unsatisfiable):  # nothing of it can be made wrong
        keeps()
    return found


@pytest.mark.parametrize("who", [BEARER, FAR], ids=["token", "network"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_operation_keeps_to_its_document(url: str, who: dict[str, str], mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    found = {o.label: statuses(o, mode, who) for o in (r.ok() for r in schema.get_all_operations())}
    asked = [label for label, seen in found.items() if seen]
    assert len(asked) >= (8 if mode is GenerationMode.NEGATIVE else 19), found
    if mode is GenerationMode.POSITIVE:
        assert not [label for label, seen in found.items() if label.startswith("GET") and not seen & GOOD]
    assert not [label for label, seen in found.items() if max(seen, default=0) >= 500]
