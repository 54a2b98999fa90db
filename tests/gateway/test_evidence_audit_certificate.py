"""Certificates in an audit: those of the chain's keys count, anything else is said; the verbs carry them."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.evidence import certificate
from gateway.evidence.audit import Audit
from gateway.evidence.signer import KeySigner
from tests.gateway.test_evidence_certificate import DOMAIN, ONE, SECRET

OTHER = bytes(31) + b"\2"


def row(secret: bytes = SECRET, **changes: Any) -> dict[str, Any]:
    digest = certificate.digest(DOMAIN, "meadow", ONE)
    made = {
        "type": "certificate",
        "device": "inverter",
        "body": certificate.write(DOMAIN, "meadow", ONE),
        "digest": f"0x{digest.hex()}",
        "signature": f"0x{KeySigner(secret).sign(digest).hex()}",
    }
    return made | changes


def audited(line: dict[str, Any], signer: str = "") -> Audit:
    audit = Audit(signer)
    audit.row(line)
    audit.finish()
    return audit


def test_one_that_holds_is_told_in_a_line() -> None:
    audit = audited(row(), KeySigner(SECRET).address)
    assert audit.faults == []
    assert audit.certificates == [
        "certificate of inverter of 2026-09-21: signs proven by 8 changes; obeyed 59.1 s, its own by 60.1 s"
    ]


def test_one_by_another_key_or_of_another_body_is_wrong() -> None:
    me = KeySigner(SECRET).address
    assert [str(f) for f in audited(row(OTHER), me).faults] == [
        f"certificate of inverter: signed by {KeySigner(OTHER).address}, not {me}"
    ]
    other = certificate.write(DOMAIN, "meadow", replace(ONE, power_w=501))
    assert "digest is not that of its body" in str(audited(row(body=other)).faults[0])


@pytest.mark.parametrize(
    "changes", [{"body": 5}, {"digest": "0x12"}, {"signature": "0x"}, {"signature": None}, {"digest": "zz"}]
)
def test_a_line_that_cannot_be_one_is_a_value_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        audited(row(**changes))


@pytest.mark.parametrize("timer", certificate.Timer)
def test_each_kind_of_timer_has_words(timer: certificate.Timer) -> None:
    assert "timer" in certificate.told(replace(ONE, timer=timer)) or timer is certificate.Timer.MEASURED


def test_a_date_beyond_every_calendar_is_still_told() -> None:
    assert certificate.day(replace(ONE, at_ms=2**64 - 1)) == "9999-01-01"
