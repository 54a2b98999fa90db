"""What answers and bodies look like, as JSON schemas. Pure data."""

from typing import Any

from gateway.uplink.http.spec import Schema

QUALITY = {"type": "string", "enum": ["GOOD", "STALE", "INVALID", "ABSENT"]}
CLOCK = {"type": "string", "enum": ["untrusted", "trusted", "backdated"]}
INTEGER = {"type": "integer"}
MAYBE = {"type": ["integer", "null"]}
TEXT = {"type": "string"}
HEX = {"type": "string", "pattern": "^0x[0-9a-fA-F]*$"}
ID = {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"}
BOOLEAN = {"type": "boolean"}


def of(properties: dict[str, Any], *, optional: tuple[str, ...] = ()) -> Schema:
    """An object with exactly these fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def some(item: Any) -> Schema:
    return {"type": "array", "items": item}


def named(value: Any) -> Schema:
    return {"type": "object", "additionalProperties": value}


def now(*names: str) -> Schema:
    """The site at a moment: values, with their qualities and ages under the same names."""
    each = dict.fromkeys(names, MAYBE)
    return of(
        {
            "at_ms": INTEGER,
            "clock": CLOCK,
            **each,
            "quality": of(dict.fromkeys(names, QUALITY)),
            "age_ms": of(each),
        }
    )


def energy(name: str) -> Schema:
    span = {"from_ms": INTEGER, "to_ms": INTEGER}
    ends = {"counter": {"type": ["string", "null"]}, "first_ms": MAYBE, "last_ms": MAYBE}
    return of({"meter": TEXT, **span, name: MAYBE, **ends, "quality": QUALITY})


STATUS: Schema = {
    "type": "object",
    "properties": {
        "site": TEXT,
        "uptime_s": INTEGER,
        "clock": TEXT,
        "full": BOOLEAN,
        "site_figures": named(MAYBE),
        "control": {"type": "object"},
        "records": {"type": "object"},
        "chain": {"type": ["object", "null"]},
        "store": {"type": "object"},
        "performance": {"type": ["object", "null"]},
        "devices": named({"type": "object"}),
        "troubles": named(TEXT),
    },
    "required": ["site", "uptime_s", "clock", "full", "site_figures", "control", "records", "devices"],
}
READING = of(
    {"at_ms": INTEGER, "clock": CLOCK, "values": named(MAYBE), "quality": named(QUALITY)},
)
HISTORY = of(
    {
        "meter": TEXT,
        "from_ms": INTEGER,
        "to_ms": INTEGER,
        "readings": some(READING),
        "next": {"type": ["string", "null"]},
    }
)
RECORD = of(
    {
        "sequence": INTEGER,
        "kind": {
            "type": "string",
            "enum": ["interval", "delivery", "gap", "setup", "rotation", "revocation"],
        },
        "previous": ID,
        "digest": ID,
        "body": TEXT,
        "signature": {"type": "string", "pattern": "^0x[0-9a-f]{130}$"},
        "state": TEXT,
    }
)
RECORDS = of({"records": some(RECORD), "next": MAYBE})
PULLED = of({"data": HEX})
PULL = of({"sender": {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}, "data": HEX})
VERDICT = of({"id": ID, "admitted": BOOLEAN, "reason": TEXT})
STOP = of({"id": ID}, optional=("id",))
ORDER = of(
    {
        "site": TEXT,
        "id": ID,
        "service": TEXT,
        "not_before": INTEGER,
        "not_after": INTEGER,
        "shared": BOOLEAN,
        "values": some(INTEGER),
        "signature": {"type": "string", "pattern": "^0x[0-9a-fA-F]{130}$"},
    }
)
ORDERS = of(
    {
        "orders": some(
            of(
                {
                    "id": TEXT,
                    "service": TEXT,
                    "source": TEXT,
                    "origin": TEXT,
                    "not_before_ms": INTEGER,
                    "not_after_ms": INTEGER,
                    "shared": BOOLEAN,
                    "parameters": named(INTEGER),
                    "state": TEXT,
                    "reason": TEXT,
                    "received_ms": INTEGER,
                    "began_ms": INTEGER,
                    "ended_ms": INTEGER,
                }
            )
        )
    }
)
