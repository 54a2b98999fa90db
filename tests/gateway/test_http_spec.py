"""Routes as tables: what a request may say, and the one error it gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uplink.http.spec import Access, Answer, Ask, Parameter, Refused, Route

LIMIT = Parameter("limit", "", least=1, most=500, default=100)
FROM = Parameter("from_ms", "", most=2**42, optional=True)
NAME = Parameter("id", "", "path", pattern="[a-z]{1,8}")
MUST = Parameter("at_ms", "", most=10)


async def handler(_: Ask) -> Answer:
    return Answer({})


def route(method: str = "GET", access: Access = Access.READ) -> Route:
    return Route(method, "/x/{id}", "x", access, handler, "", parameters=(NAME, LIMIT, FROM))


def test_what_is_not_given_has_its_default() -> None:
    assert route().read({"id": "ab"}, ()) == {"id": "ab", "limit": 100, "from_ms": None}
    assert route().read({"id": "ab"}, (("limit", "7"),))["limit"] == 7


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ((("limit", "0"),), "limit must be a whole number from 1 to 500"),
        ((("limit", "501"),), "limit must be"),
        ((("limit", "1e2"),), "limit must be"),
        ((("limit", "９"),), "limit must be"),
        ((("limit", " 9"),), "limit must be"),
        ((("limit", "9" * 30),), "limit must be"),
        ((("limit", "1"), ("limit", "2")), "limit is given twice"),
        ((("id", "ab"),), "unknown parameter; here: limit, from_ms"),
        ((("colour", "red"),), "unknown parameter"),
    ],
)
def test_what_is_wrong_is_said(query: tuple[tuple[str, str], ...], said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        route().read({"id": "ab"}, query)
    assert caught.value.status == 400


def test_a_path_is_held_against_its_pattern() -> None:
    for wrong in ("", "AB", "abcdefghi", "a\n"):
        with pytest.raises(Refused, match="id must match"):
            route().read({"id": wrong}, ())


def test_what_must_be_given_is_named() -> None:
    needed = Route("GET", "/x", "x", Access.OPEN, handler, "", parameters=(MUST,))
    with pytest.raises(Refused, match="missing: at_ms"):
        needed.read({}, ())


@given(st.text(max_size=30))
def test_any_text_is_a_number_within_bounds_or_refused(text: str) -> None:
    try:
        value = LIMIT.read(text)
    except Refused:
        return
    assert isinstance(value, int) and 1 <= value <= 500


def test_the_statuses_follow_from_method_and_access() -> None:
    assert 401 not in route(access=Access.OPEN).statuses
    assert 429 in route(access=Access.READ).statuses
    assert {401, 413, 415, 429} <= route("POST", Access.CHANGE).statuses.keys()
    assert 415 not in route("GET", Access.FULL).statuses
