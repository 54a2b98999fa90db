"""The figures' own words: what is published under them does not change by accident."""

from dataclasses import fields

from gateway.analytics.figures import Alert, AlertCode, Performance, Severity
from gateway.model import UNITS
from tests.gateway.performances import performance


def test_throughput_is_what_went_both_ways():
    assert performance(charged_wh=700, discharged_wh=600).throughput_wh == 1300


def test_every_figure_names_its_unit():
    bare = {"faults", "losses"}
    for field in fields(Performance):
        assert field.name in bare or field.name.rsplit("_", 1)[1] in {*UNITS, "milli"}, field.name


def test_codes_are_words_that_may_stand_in_a_topic_or_a_label():
    for code in AlertCode:
        assert code.value.replace("-", "").isalpha() and code.value.islower()
    alert = Alert(AlertCode.FAN, Severity.NOTICE, 0, "a fan of the battery reports an error")
    assert (alert.code, alert.severity) == ("fan", "notice")
