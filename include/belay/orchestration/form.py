"""The trigger form of a rollout DAG: a proposal's fields as Params, with their JSON schema."""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.sdk import Param

from belay.gates.intake import proposal_schema

_MARK = "title"
"""A run that brings this field brings a proposal; a run without it continues one that is recorded."""


def form(capability: str) -> dict[str, Param]:
    """Return the Params of a run: the optimization's name alone, or a whole proposal."""
    return {name: _param(name, schema, capability) for name, schema in _fields().items()}


def _param(name: str, schema: dict[str, Any], capability: str) -> Param:
    if name == "capability":
        return Param(capability, type="string", const=capability, description="This DAG's capability.")
    if name == "optimization":
        return Param("", **schema | {"pattern": f"^$|{schema['pattern']}"})
    return Param(None, **schema | {"type": [*_types(schema), "null"]})


def proposal_of(params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the proposal document that a run's params hold, or None when it continues a recorded one."""
    if params.get(_MARK) is None:
        return None
    return {name: params[name] for name in _fields() if params.get(name) is not None}


@cache
def _fields() -> dict[str, dict[str, Any]]:
    schema = proposal_schema()
    definitions = schema.get("$defs", {})
    return {name: _inlined(field, definitions) for name, field in schema["properties"].items()}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Airflow keeps a Param's schema by itself, so references into the document are written out."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" in schema:  # a field that may be null: the form makes every field so anyway
        first = next(option for option in schema["anyOf"] if option.get("type") != "null")
        return _inlined({**{k: v for k, v in schema.items() if k != "anyOf"}, **first}, definitions)
    return {key: _inlined(value, definitions) for key, value in schema.items() if key != "default"}


def _types(schema: dict[str, Any]) -> list[str]:
    found = schema.get("type", ["object", "string", "number", "boolean", "array"])
    return [found] if isinstance(found, str) else list(found)
