"""Signed records over HTTP: in pages, without those that are not signed yet, and checked by the auditor."""

from pathlib import Path
from typing import Any

from gateway.evidence import records as links
from gateway.evidence.typed import Gap, GapCause
from gateway.model import Record
from gateway.store import records
from tests.gateway.http_site import BEARER, DOMAIN, KEY, served


async def test_pages_hold_every_signed_record_once_and_the_chain_holds(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        for n in range(7):
            await site.sign(Gap(n, n + 1, 0, GapCause.RESTORED))
        found: list[dict[str, Any]] = []
        after = 0
        while after is not None:
            _, said, _ = await site.ask("GET", f"/api/v1/records?limit=3&after={after}")
            found, after = found + said["records"], said["next"]
        assert [r["sequence"] for r in found] == [1, 2, 3, 4, 5, 6, 7]
        chain = [
            Record(
                r["sequence"],
                *(bytes.fromhex(r[name][2:]) for name in ("previous", "digest")),
                r["kind"],
                r["body"],
                bytes.fromhex(r["signature"][2:]),
            )
            for r in found
        ]
        assert links.check(chain, KEY.address) == []
        _, latest, _ = await site.ask("GET", "/api/v1/records/latest")
        assert latest == found[-1]


async def test_what_is_not_signed_yet_is_not_told(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        assert (await site.ask("GET", "/api/v1/records/latest"))[0] == 404
        await site.sign(Gap(1, 2, 0, GapCause.RESTORED))

        def pending(conn: Any) -> None:
            last = records.last(conn)
            assert last is not None
            body = Gap(2, 3, 0, GapCause.RESTORED)
            records.append(conn, links.seal(DOMAIN, "mocked", 2, last.digest, body))

        await site.store.call(pending)
        _, said, _ = await site.ask("GET", "/api/v1/records?limit=2")
        assert [r["sequence"] for r in said["records"]] == [1] and said["next"] is None
        assert (await site.ask("GET", "/api/v1/records/latest"))[1]["sequence"] == 1


async def test_keys_are_not_for_everybody(tmp_path: Path) -> None:
    async with served(tmp_path, hosts=("meadow.lan",)) as site:
        await site.sign(Gap(1, 2, 0, GapCause.RESTORED))
        for path in ("/api/v1/records", "/api/v1/records/latest", "/api/v1/orders"):
            far = {"Host": "meadow.lan"}
            assert (await site.ask("GET", path, far))[0] == 401
            assert (await site.ask("GET", path, far | BEARER))[0] == 200
