"""Pull: the questions of docs/attestation.md, answers that prove themselves, and everything else refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence.records import recover
from gateway.evidence.typed import DELIVERY_TYPE, GAP_TYPE, INTERVAL_TYPE, Gap, GapCause, keccak, site_hash
from gateway.uplink.http.pull import QUESTIONS, _asked
from gateway.uplink.http.spec import Refused
from tests.gateway.evidence_samples import DELIVERY, INTERVAL
from tests.gateway.http_site import DOMAIN, KEY, served

SENDER = "0x" + "Ab" * 20
TYPES = (INTERVAL_TYPE, DELIVERY_TYPE, GAP_TYPE)
SITE = site_hash("mocked")


def question(name: str, *values: Any) -> str:
    types = QUESTIONS[name]
    return "0x" + (keccak(f"{name}({','.join(types)})".encode())[:4] + encode(types, values)).hex()


def signer(answer: str, *more: str) -> tuple[int, bytes, str, tuple[Any, ...]]:
    """Kind, words and who signed, as a contract finds them; what stands behind."""
    kind, words, signature, *rest = decode(("uint8", "bytes", "bytes", *more), bytes.fromhex(answer[2:]))
    struct = keccak(keccak(TYPES[kind].encode()) + words)
    return kind, words, recover(keccak(b"\x19\x01" + DOMAIN.separator + struct), signature), tuple(rest)


async def ask(site: Any, data: str) -> tuple[int, Any]:
    status, said, _ = await site.ask("GET", f"/ccip/{SENDER}/{data}")
    body = json.dumps({"sender": SENDER, "data": data}).encode()
    posted = await site.ask("POST", "/ccip", {"Content-Type": "application/json"}, body)
    assert (status, said) == posted[:2]  # both forms answer the same
    return status, said


async def test_each_kind_of_record_is_recovered_to_its_key(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        assert (await ask(site, question("latestRecord", SITE)))[0] == 404
        for body in (INTERVAL, DELIVERY, Gap(5, 6, 7, GapCause.RESTORED)):
            await site.sign(body)
        for sequence, expected in ((1, 0), (2, 1), (3, 2)):
            status, said = await ask(site, question("recordAt", SITE, sequence))
            kind, words, address, _ = signer(said["data"])
            assert (status, kind, address) == (200, expected, KEY.address)
            assert words[:32] == SITE and int.from_bytes(words[32:64], "big") == sequence
        assert signer((await ask(site, question("latestRecord", SITE)))[1]["data"])[0] == 2
        _, words, _, _ = signer((await ask(site, question("latestInterval", SITE)))[1]["data"])
        assert int.from_bytes(words[32:64], "big") == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (question("recordAt", SITE, 9), 404),
        (question("recordAt", SITE, 2**64 - 1), 404),
        (question("latestRecord", bytes(32)), 404),
        (question("readingAt", SITE, 1, "bms/x_w", 5), 404),
        (question("latestRecord", SITE)[:-2], 400),
        ("0x12345678", 400),
    ],
)
async def test_what_is_not_held_or_not_asked_well_is_said(tmp_path: Path, data: str, status: int) -> None:
    async with served(tmp_path) as site:
        await site.sign(Gap(5, 6, 7, GapCause.RESTORED))
        found, said = await ask(site, data)
        assert found == status and said["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"data":"0x","sender":5}', b'{"data":5,"sender":"0x"}']
)
async def test_a_malformed_post_is_said(tmp_path: Path, body: bytes) -> None:
    async with served(tmp_path) as site:
        assert (await site.ask("POST", "/ccip", {"Content-Type": "application/json"}, body))[0] == 400


@given(st.one_of(st.text(max_size=80), st.binary(max_size=300).map(lambda raw: "0x" + raw.hex())))
def test_any_data_is_a_question_or_refused(data: str) -> None:
    try:
        name, values = _asked(data)
    except Refused as refused:
        assert refused.status == 400
        return
    assert len(values) == len(QUESTIONS[name])


@given(st.sampled_from(sorted(QUESTIONS)), st.binary(max_size=200))
def test_any_arguments_are_read_or_refused(name: str, rest: bytes) -> None:
    head = question(name, *(bytes(32), 1, "a", 1)[: len(QUESTIONS[name])])[:10]
    try:
        _asked(head + rest.hex())
    except Refused as refused:
        assert refused.status == 400
