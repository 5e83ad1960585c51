"""JSON Schema of the policy files, for editors: completion and checking while one writes."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel

from belay.policy.files import CapabilityFile, DefaultsFile
from belay.policy.shared_files import CalendarsFile, CatalogueFile, LadderFile, PeopleFile

_REQUIRED: dict[type[BaseModel], tuple[str, ...]] = {
    CapabilityFile: ("title", "owner", "surface", "decision_class", "primary"),
    DefaultsFile: (),
    CatalogueFile: ("sources", "metrics"),
    PeopleFile: ("roles", "people"),
    LadderFile: ("oversight",),
    CalendarsFile: ("calendars",),
}
_NAMES: dict[type[BaseModel], str] = {
    CapabilityFile: "capability",
    DefaultsFile: "_defaults",
    CatalogueFile: "_metrics",
    PeopleFile: "_people",
    LadderFile: "_ladder",
    CalendarsFile: "_calendar",
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each kind of policy file, by its name (``capability``, ``_metrics``, …)."""
    return {name: _schema(model) for model, name in _NAMES.items()}


def export_schemas(folder: FilePath) -> list[FilePath]:
    """Write one ``NAME.schema.json`` a kind of file into ``folder``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema: dict[str, Any] = _without_null(model.model_json_schema())
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    if _REQUIRED[model]:
        schema["required"] = list(_REQUIRED[model])
    return schema


def _without_null(part: Any) -> Any:
    """Drop ``null`` from every choice: leaving a key out is how a file says nothing."""
    if isinstance(part, list):
        return [_without_null(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {
        key: _without_null(value) for key, value in part.items() if not (key == "default" and value is None)
    }
    options = kept.get("anyOf")
    if isinstance(options, list):
        real = [option for option in options if option != {"type": "null"}]
        if len(real) == 1:
            del kept["anyOf"]
            kept = {**real[0], **kept}
    return kept
