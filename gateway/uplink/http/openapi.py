"""The OpenAPI 3.1 document, written from the routes themselves. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.uplink.http.spec import JSON, Access, Parameter, Route, Schema

ABOUT = (
    "What a Gridseal gateway tells of its site, and how it takes orders. Values are integers in the unit that"
    " their names end in; battery power + is discharging, grid power + importing. At the machine itself"
    " everything may be read; from elsewhere setpoints and keys need the device's token. Changes always do."
)
MESSAGE: Schema = {
    "type": "object",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
    "additionalProperties": False,
}


def document(site: str, version: str, routes: Iterable[Route]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Gridseal at {site}", "version": version, "description": ABOUT},
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: Route) -> Mapping[str, Any]:
    said: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "security": _security(route.access),
        "parameters": [_parameter(p) for p in route.parameters],
        "responses": {
            "200": {"description": "as asked", "content": {route.kind: {"schema": dict(route.answer)}}},
            **{
                str(status): {"description": text, "content": {JSON: {"schema": MESSAGE}}}
                for status, text in route.statuses.items()
            },
        },
    }
    if route.body is not None:
        said["requestBody"] = {"required": True, "content": {JSON: {"schema": dict(route.body)}}}
    return said


def _security(access: Access) -> list[dict[str, list[str]]]:
    match access:
        case Access.OPEN:
            return []
        case Access.CHANGE:
            return [{"token": []}]
        case Access.READ | Access.FULL | Access.RECORDS:
            return [{"token": []}, {}]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }
