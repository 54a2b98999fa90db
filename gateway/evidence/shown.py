"""A signed record as JSON, wherever it is told: exports, REST, MQTT (docs/attestation.md, section 6)."""

from typing import Any

from gateway.model import Record


def shown(record: Record) -> dict[str, Any]:
    """`body` stays the text it is: what was signed is made of it."""
    return {
        "sequence": record.sequence,
        "kind": record.kind,
        "previous": f"0x{record.previous.hex()}",
        "digest": f"0x{record.digest.hex()}",
        "body": record.body,
        "signature": f"0x{record.signature.hex()}",
    }
