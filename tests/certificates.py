"""Certificates that tests speak TLS with, made by openssl as an installer makes them."""

import subprocess
from pathlib import Path

from tests.tools import need


def self_signed(certificate: Path, key: Path, host: str = "DNS:localhost") -> None:
    """For two days, for `host`; skips the test where there is no openssl."""
    subprocess.run(
        [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName={host}",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
