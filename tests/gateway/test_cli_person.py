"""Who asks has a name, or a number where there are no names."""

import pytest

from gateway.cli import person


def test_a_user_has_a_name(monkeypatch):
    monkeypatch.setattr(person.getpass, "getuser", lambda: "anna")
    assert person.name() == "anna"


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no username set")])
def test_a_user_without_a_name_is_a_number(monkeypatch, error):
    def nobody():
        raise error

    monkeypatch.setattr(person.getpass, "getuser", nobody)
    monkeypatch.setattr(person.os, "getuid", lambda: 12345)
    assert person.name() == "uid 12345"
