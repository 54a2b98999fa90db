"""Prometheus' text format, read back by Prometheus' own parser."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.uplink.http.prometheus import text

values = st.integers(-(10**12), 10**12) | st.floats(-1e6, 1e6)


@given(st.text(), values)
def test_any_label_and_value_comes_back(label: str, value: float) -> None:
    (family,) = text_string_to_metric_families(text([("a_watts", "gauge", "help", [({"of": label}, value)])]))
    (found,) = family.samples
    assert (found.name, found.labels) == ("gridseal_a_watts", {"of": label})
    assert abs(found.value - value) <= 1e-6 * max(1, abs(value) * 1e-6)


def test_a_family_without_samples_has_no_line() -> None:
    assert text([("a", "gauge", "help", [])]) == "\n"
    assert text([("a", "counter", "help", [({}, 1)])]).splitlines() == [
        "# HELP gridseal_a help",
        "# TYPE gridseal_a counter",
        "gridseal_a 1",
    ]
