"""The certificates: the newest of each device is in force, older ones are kept up to a bound."""

from gateway.store import certificates
from gateway.store.certificates import Certificate
from tests.gateway.stores import memory


def made(device: str, number: int) -> Certificate:
    return Certificate(device, f"{number}", bytes(32), bytes(65))


def test_the_newest_of_each_device_is_in_force() -> None:
    conn = memory()
    for number, device in enumerate(("a", "b", "a")):
        certificates.add(conn, made(device, number))
    assert sorted(certificates.newest(conn), key=lambda c: c.device) == [made("a", 2), made("b", 1)]
    assert [c.body for c in certificates.every(conn)] == ["0", "1", "2"]


def test_a_bounded_number_is_kept_and_the_one_in_force_always() -> None:
    conn = memory()
    certificates.add(conn, made("rare", 0))
    for number in range(certificates.KEPT + 50):
        certificates.add(conn, made("often", number))
    kept = certificates.every(conn)
    assert len(kept) == certificates.KEPT + 1
    assert kept[0] == made("rare", 0)
    assert kept[-1] == made("often", certificates.KEPT + 49)


def test_a_row_of_an_export_carries_bytes_as_hex() -> None:
    assert certificates.row(made("a", 1)) == {
        "type": "certificate", "device": "a", "body": "1", "digest": "0x" + "00" * 32,
        "signature": "0x" + "00" * 65,
    }  # fmt: skip
