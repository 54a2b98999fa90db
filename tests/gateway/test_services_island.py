"""Orders of the grid connection ask for no power and need nothing measured."""

import pytest

from gateway.model import ServiceKind
from gateway.services import LAWS, Inputs, Wish
from tests.gateway.services_bench import MOST, wrong


@pytest.mark.parametrize(("kind", "apart"), [(ServiceKind.ISLAND, True), (ServiceKind.RECONNECT, False)])
def test_they_wish_for_a_connection_and_nothing_else(kind: ServiceKind, apart: bool) -> None:
    assert LAWS[kind].wish({}, Inputs()) == Wish(island=apart)
    assert LAWS[kind].narrows and LAWS[kind].reach({}, MOST).discharge_w == 0
    assert "takes exactly" in wrong(kind, {"x": 1})
