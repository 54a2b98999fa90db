"""gateway.chain.stacks.address: of which key an address is."""

import coincurve
import pytest

from gateway.chain.stacks.address import compressed, of_key, version_of


def test_the_address_of_a_key():
    """A wallet of the simulator, as its own source prints it."""
    key = coincurve.PrivateKey(
        bytes.fromhex("7287ba251d44a4d3fd9276c88ce34c5c52a038955511cccaf77e61068649c178")
    )
    public = key.public_key.format(compressed=False)
    assert str(of_key(public, version_of(0x80000000))) == "ST1SJ3DTE5DN7X54YDH5D64R3BCB6A2AG2ZQ8YPD5"
    assert compressed(public) == key.public_key.format(compressed=True)


def test_keys_of_another_size_are_refused():
    for raw in (bytes(65), b"\x04" + bytes(63)):
        with pytest.raises(ValueError, match="65 bytes"):
            compressed(raw)
