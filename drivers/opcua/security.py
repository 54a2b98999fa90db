"""Who the two ends are: this gateway's own certificate and key, and the server's, which is pinned.

The pair is made at first use, in files beside the gateway's other secrets; its key never leaves them. A
server is known by its certificate alone, whatever that says of names, dates and issuers: one that shows
another is refused before anything is sent. It refuses to trust on first use.
"""

import hashlib
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from drivers.opcua.url import OpcUaUrl
from gateway.errors import ConfigError, LinkError
from gateway.secretfile import write_new

KEY_BITS = 2048  # the least that Basic256Sha256 allows, and quick on a small computer
VALID = timedelta(days=20 * 365)
CERTIFICATE_BYTES_MAX = 64 * 1024
PASSWORD_BYTES_MAX = 4096


@dataclass(frozen=True)
class Own:
    """This gateway as an OPC UA application. `uri` is what its certificate says."""

    certificate: bytes  # DER
    key: Path  # PEM
    uri: str


def own(stem: Path, now_ms: int) -> Own:
    """The certificate `stem`.der with its key `stem`.key, made if they are not there. LinkError when they can
    be neither read nor made."""
    certificate, key = stem.with_name(stem.name + ".der"), stem.with_name(stem.name + ".key")
    try:
        if not key.exists():
            write_new(key, _new_key())
        if not certificate.exists():
            write_new(certificate, _self_signed(key.read_bytes(), now_ms))
        der = certificate.read_bytes()
        return Own(der, key, _uri(der))
    except ConfigError as error:
        raise LinkError(str(error)) from error
    except OSError as error:
        raise LinkError(f"{error.filename}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise LinkError(f"{certificate} and {key} are no certificate and key: {error}") from error


def _new_key() -> bytes:
    return rsa.generate_private_key(65537, KEY_BITS).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _self_signed(key_pem: bytes, now_ms: int) -> bytes:
    """Begins long ago: the clock of a gateway without network may be wrong when this is made."""
    key = serialization.load_pem_private_key(key_pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the key is no RSA key")
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gridseal")])
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    names = [x509.UniformResourceIdentifier(f"urn:gridseal:{serial:x}"), x509.DNSName(socket.gethostname())]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def _uri(der: bytes) -> str:
    """The application URI of a certificate. ValueError when it has none."""
    certificate = x509.load_der_x509_certificate(der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    except (x509.ExtensionNotFound, IndexError):
        raise ValueError("the certificate names no application URI") from None


def fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def first_of_chain(der: bytes) -> bytes:
    """The server's own certificate of what it shows: those that signed it may follow."""
    if len(der) < 4 or der[:2] != b"\x30\x82":
        return der
    return der[: int.from_bytes(der[2:4]) + 4]


def pinned(where: OpcUaUrl) -> str:
    """The fingerprint of the certificate that the server must show."""
    path = where.certificate
    if path is None:
        return where.fingerprint
    content = _read(path, CERTIFICATE_BYTES_MAX)
    try:
        pem = content.startswith(b"-----BEGIN")
        found = x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise LinkError(f"{path} is no certificate (PEM or DER)") from error
    return fingerprint(found.public_bytes(serialization.Encoding.DER))


def check_shown(where: OpcUaUrl, shown: bytes) -> None:
    """LinkError unless `shown` is the pinned certificate."""
    expected, found = pinned(where), fingerprint(shown)
    if found != expected:
        raise LinkError(
            f"{where.endpoint} shows the certificate sha256:{found}, not the pinned sha256:{expected}: "
            "nothing was sent; if the device was given a new one, write that into its link"
        )


def password(where: OpcUaUrl) -> str:
    """Read anew each time: it may have been changed. Empty without a user."""
    if where.password is None:
        return ""
    try:
        return _read(where.password, PASSWORD_BYTES_MAX).decode().strip()
    except UnicodeDecodeError as error:
        raise LinkError(f"{where.password} is not text") from error


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise LinkError(f"{path} cannot be read: {error.strerror}") from error
