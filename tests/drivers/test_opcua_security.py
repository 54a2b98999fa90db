"""Who the two ends are: our own pair, and the pinned certificate of the server."""

import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from drivers.opcua import security
from drivers.opcua.url import parse
from gateway.errors import LinkError
from tests.drivers.opcua_bench import identity

NOW_MS = 1_795_000_000_000


def url(folder, server, **more):
    options = "".join(f"&{name}={value}" for name, value in more.items())
    return parse(f"opc.tcp://plc?mode=encrypt&server={server}{options}")


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    return identity(tmp_path_factory.mktemp("peer"), "peer")


def der(peer):
    return x509.load_pem_x509_certificate(peer.certificate.read_bytes()).public_bytes(
        serialization.Encoding.DER
    )


def test_the_pair_is_made_once_and_its_key_is_nobody_elses(tmp_path):
    made = security.own(tmp_path / "opcua", NOW_MS)
    assert stat.S_IMODE((tmp_path / "opcua.key").stat().st_mode) == 0o600
    assert security.own(tmp_path / "opcua", NOW_MS + 1) == made
    certificate = x509.load_der_x509_certificate(made.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [made.uri]
    assert certificate.not_valid_before_utc.year == 2024  # a wrong clock must not make it one of the future
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    assert "PRIVATE" not in repr(made)


def test_a_stop_between_key_and_certificate_is_made_good(tmp_path):
    first = security.own(tmp_path / "opcua", NOW_MS)
    key = first.key.read_bytes()
    (tmp_path / "opcua.der").unlink()
    again = security.own(tmp_path / "opcua", NOW_MS)
    assert again.key.read_bytes() == key and again.uri != first.uri


@pytest.mark.parametrize("broken", ["opcua.key", "opcua.der"])
def test_broken_files_are_said(tmp_path, broken):
    security.own(tmp_path / "opcua", NOW_MS)
    (tmp_path / broken).write_bytes(b"nothing")
    if broken == "opcua.key":
        (tmp_path / "opcua.der").unlink()
    with pytest.raises(LinkError, match="are no certificate and key"):
        security.own(tmp_path / "opcua", NOW_MS)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(LinkError, match="cannot be written"):
        security.own(tmp_path / "none" / "opcua", NOW_MS)


def test_a_pinned_file_is_the_certificate_in_either_form(tmp_path, peer):
    (tmp_path / "peer.der").write_bytes(der(peer))
    assert security.pinned(url(tmp_path, peer.certificate)) == peer.fingerprint
    assert security.pinned(url(tmp_path, tmp_path / "peer.der")) == peer.fingerprint
    assert security.pinned(url(tmp_path, f"sha256:{peer.fingerprint}")) == peer.fingerprint
    (tmp_path / "peer.der").write_bytes(b"nothing")
    with pytest.raises(LinkError, match="is no certificate"):
        security.pinned(url(tmp_path, tmp_path / "peer.der"))
    with pytest.raises(LinkError, match="cannot be read"):
        security.pinned(url(tmp_path, tmp_path / "none.der"))


def test_another_certificate_is_refused(tmp_path, peer):
    security.check_shown(url(tmp_path, peer.certificate), der(peer))
    with pytest.raises(
        LinkError, match=f"sha256:{peer.fingerprint}, not the pinned sha256:abab.*nothing was"
    ):
        security.check_shown(url(tmp_path, f"sha256:{'ab' * 32}"), der(peer))


def test_of_a_chain_the_first_counts(peer):
    assert security.first_of_chain(der(peer) + der(peer)) == der(peer)
    assert security.first_of_chain(b"\x30") == b"\x30"


def test_the_password_is_read_each_time_and_never_shown(tmp_path):
    path = tmp_path / "password"
    where = url(tmp_path, f"sha256:{'ab' * 32}", user="u", password=path)
    with pytest.raises(LinkError, match="cannot be read"):
        security.password(where)
    path.write_text("first\n")
    assert security.password(where) == "first"
    path.write_text("second")
    assert security.password(where) == "second"
    assert "second" not in repr(where)
    path.write_bytes(b"\xff")
    with pytest.raises(LinkError, match="is not text"):
        security.password(where)
    assert security.password(url(tmp_path, f"sha256:{'ab' * 32}")) == ""
