"""The gate: hosts that are ours, origins that are the host, tokens that are right, and nobody in the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uplink.http.gate import PEERS_MAX, WRONG_MAX, WRONG_MS, Gate, Headers, name_of
from gateway.uplink.http.spec import Access, Refused
from tests.gateway.stores import HandClock

TOKEN = "0123456789abcdef" * 4
RIGHT = f"Bearer {TOKEN}"


def headers(**more: str) -> Headers:
    known = {"host": "127.0.0.1:8470", "peer": "127.0.0.1", "local": "127.0.0.1"}
    return Headers(**(known | more))  # type: ignore[arg-type]


def gate(*hosts: str) -> Gate:
    return Gate(TOKEN, hosts, HandClock())


def status(asked: Headers, access: Access = Access.OPEN, at: Gate | None = None) -> int:
    try:
        (at or gate("Meadow.lan")).admit(asked, access)
    except Refused as refused:
        return refused.status
    return 200


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("127.0.0.1:8470", "127.0.0.1"),
        ("[::1]:8470", "::1"),
        ("LOCALHOST", "localhost"),
        ("meadow.lan.", "meadow.lan"),
        ("", ""),
        ("a@b", ""),
        ("a/b", ""),
        ("a b", ""),
        ("a, b", ""),
        ("[::1", ""),
        ("a:99999", ""),
        ("a?b", ""),
    ],
)
def test_the_name_in_a_host(host: str, found: str) -> None:
    assert name_of(host) == found


@given(st.text(max_size=40))
def test_any_host_has_a_name_or_none(host: str) -> None:
    assert isinstance(name_of(host), str)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:8470", 200),
        ("meadow.lan", 200),
        ("192.168.1.7", 200),
        ("192.168.1.8", 421),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
    ],
)
def test_a_host_that_is_not_ours_is_refused(host: str, expected: int) -> None:
    assert status(headers(host=host, local="192.168.1.7")) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"origin": "http://127.0.0.1:8470"}, 200),
        ({"origin": "https://127.0.0.1:8470"}, 200),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"site": "same-origin"}, 200),
        ({"site": "none"}, 200),
        ({"site": "cross-site"}, 403),
        ({"site": "same-site"}, 403),
        ({"site": "cross-site", "mode": "navigate"}, 200),
        ({"site": "cross-site", "mode": "navigate", "method": "POST"}, 403),
    ],
)
def test_other_sites_get_nothing_but_a_link(more: dict[str, str], expected: int) -> None:
    assert status(headers(**more)) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
def test_only_json_is_taken(kind: str, expected: int) -> None:
    assert status(headers(method="POST", content_type=kind)) == expected


POST = {"method": "POST", "content_type": "application/json"}


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (RIGHT, 200),
        (f"bearer  {TOKEN}", 200),
        ("", 401),
        (TOKEN, 401),
        (f"Basic {TOKEN}", 401),
        (f"{RIGHT}0", 401),
        (RIGHT[:-1], 401),
        (RIGHT.upper(), 401),
        (f"{RIGHT}, {RIGHT}", 401),
        ("Bearer \udcff", 401),
    ],
)
def test_a_change_needs_the_token_also_at_the_machine_itself(given_: str, expected: int) -> None:
    assert status(headers(authorization=given_, **POST), Access.CHANGE) == expected


def test_everything_is_told_to_the_machine_itself_and_to_who_has_the_token() -> None:
    far = {"host": "meadow.lan", "peer": "192.168.1.9", "local": "192.168.1.7"}
    proxied = {"host": "meadow.lan", "peer": "127.0.0.1"}  # somebody else behind a proxy on the machine
    rebound = {"host": "127.0.0.1", "peer": "192.168.1.9"}
    at = gate("meadow.lan")
    for access, who in ((Access.READ, True), (Access.FULL, True)):
        assert at.admit(headers(), access) is who
    for where in (far, proxied, rebound):
        assert at.admit(headers(**where), Access.READ) is False
        assert status(headers(**where), Access.FULL, at) == 401
        assert at.admit(headers(**where, authorization=RIGHT), Access.FULL) is True


def test_the_relayer_s_token_opens_signed_records_and_nothing_else() -> None:
    other = "fedcba9876543210" * 4
    at = Gate(TOKEN, ("meadow.lan",), HandClock(), other)
    far = {"host": "meadow.lan", "peer": "192.168.1.9", "local": "192.168.1.7"}
    relayer = f"Bearer {other}"
    assert status(headers(**far, authorization=relayer), Access.RECORDS, at) == 200
    assert status(headers(**far, authorization=RIGHT), Access.RECORDS, at) == 200
    assert status(headers(**far), Access.RECORDS, at) == 401
    assert status(headers(), Access.RECORDS, at) == 200, "at the machine itself"
    for access in (Access.READ, Access.FULL):
        assert status(headers(**far, authorization=relayer), access, at) == 401
    assert status(headers(authorization=relayer, **POST), Access.CHANGE, at) == 401
    for unknown in (relayer, "Bearer ", "Bearer", f"Bearer {'0' * 64}"):
        assert status(headers(**far, authorization=unknown), Access.RECORDS, gate("meadow.lan")) == 401


def test_wrong_tokens_are_counted_slowed_and_forgiven_and_never_hold_up_the_right_one() -> None:
    clock = HandClock()
    at = Gate(TOKEN, (), clock)
    wrong = headers(authorization="Bearer no", **POST)
    said = [status(wrong, Access.CHANGE, at) for _ in range(WRONG_MAX + 3)]
    assert said == [401] * WRONG_MAX + [429] * 3
    assert status(headers(authorization=RIGHT, **POST), Access.CHANGE, at) == 200
    other = headers(authorization="Bearer no", peer="192.168.1.9", **POST)
    assert status(other, Access.CHANGE, at) == 401
    clock.mono += WRONG_MS
    assert status(wrong, Access.CHANGE, at) == 401
    assert at.wrong_tokens == WRONG_MAX + 5
    assert at.refused == WRONG_MAX + 5


def test_the_addresses_remembered_are_bounded() -> None:
    at = gate()
    for n in range(3 * PEERS_MAX):
        status(headers(authorization="Bearer no", peer=f"10.0.{n // 250}.{n % 250}"), Access.READ, at)
    assert len(at._wrong) <= PEERS_MAX


def test_the_token_is_in_no_repr() -> None:
    assert TOKEN not in repr(vars(gate()))
