"""From a document to a validated model, with every error in words."""

from __future__ import annotations

import types
from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from belay.policy.document import Document
from belay.policy.errors import Path, PolicyError, did_you_mean, written

M = TypeVar("M", bound=BaseModel)

_TYPES = {
    "string_type": "a word or text is needed",
    "int_type": "a whole number is needed",
    "float_type": "a number is needed",
    "bool_type": "true or false is needed",
    "list_type": "a list is needed",
    "dict_type": "a mapping is needed",
    "model_type": "a mapping is needed",
    "model_attributes_type": "a mapping is needed",
    "finite_number": "a finite number is needed",
}


def validate(model: type[M], document: Document, value: Any, at: Path = ()) -> tuple[M, list[PolicyError]]:
    """Return ``value`` as ``model`` and what is wrong in it.

    What is wrong is left out of the model (None), so that the other checks can still speak.

    Parameters
    ----------
    document
        Where the value stands, for lines.
    at
        Path of ``value`` in the document.
    """
    errors: list[PolicyError] = []
    for _ in range(100):
        try:
            return model.model_validate(value), errors
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                path = _path(problem["loc"])
                errors.append(_in_words(model, document, at, path, problem))
                value = _without(value, path)
            if not isinstance(value, dict):
                break
    return model(), errors


def missing(
    model: BaseModel,
    document: Document,
    at: Path = (),
    *,
    optional: Iterable[str],
    reported: list[PolicyError],
) -> dict[str, PolicyError]:
    """Return an error for each field of ``model`` that has no value and is not ``optional``.

    Fields that are in ``reported`` already (given and wrong, or misspelt) are not missing.
    """
    return {
        name: document.error(at, ..., f"{name!r} is missing", f"write {name}: ({field.description})")
        for name, field in type(model).model_fields.items()
        if getattr(model, name) is None
        and name not in optional
        and not any(_speaks_of(error, (*at, name)) for error in reported)
    }


def _speaks_of(error: PolicyError, path: Path) -> bool:
    where, misspelt = written(path), error.right == f"did you mean {str(path[-1])!r}?"
    beside = error.where.rpartition(".")[0] == written(path[:-1])
    return error.where == where or error.where.startswith((f"{where}.", f"{where}[")) or (misspelt and beside)


def known_keys(model: type[BaseModel], value: dict[str, Any]) -> dict[str, Any]:
    """Return ``value`` without the keys that ``model`` does not know, at any level."""
    kept = {}
    for name, field in model.model_fields.items():
        if name in value:
            inner, kind = value[name], _unwrap(field.annotation)
            nested = isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(inner, dict)
            kept[name] = known_keys(kind, inner) if nested else inner
    return kept


def _path(loc: tuple[int | str, ...]) -> Path:
    """Return Pydantic's location without what it adds for unions and keys."""
    return tuple(
        part for part in loc if part != "[key]" and not str(part).startswith(("function-", "nullable"))
    )


def _without(value: Any, path: Path) -> Any:
    """Return ``value`` without what stands at ``path``; whole lists and leaf values go as one."""
    if not path:
        return None
    if not isinstance(value, dict):
        return None
    head, rest = path[0], path[1:]
    if head not in value:
        return value
    inner = _without(value[head], rest)
    return {key: item for key, item in value.items() if key != head} | (
        {} if inner is None else {head: inner}
    )


def _in_words(model: Any, document: Document, at: Path, path: Path, problem: Any) -> PolicyError:
    kind, context, found = problem["type"], problem.get("ctx", {}), problem["input"]
    where = (*at, *path)
    text, right = "this cannot be used", problem["msg"]
    field = _annotation(model, path)
    description = _description(model, path)
    if kind == "extra_forbidden":
        known = _keys(_annotation(model, path[:-1]))
        right = did_you_mean(str(path[-1]), known, "keys")
        return document.error(where, ..., f"unknown key {str(path[-1])!r}", right)
    if kind == "enum":
        words = _enum_words(field) or [
            word.strip(" '") for word in context["expected"].replace(" or ", ",").split(",")
        ]
        text, right = "unknown word", did_you_mean(str(found), words, "words")
        if problem["loc"] and problem["loc"][-1] == "[key]":
            text = "unknown key"
    elif kind in _TYPES:
        text, right = _TYPES[kind], f"write {description}" if description else "see the neighbouring files"
    elif kind == "share_above_one":
        text = f"{found:g} would be {found * 100:g} %"
        right = f"write {found / 100:g} for {found:g} %, or '{found * 100:g} %' where that is meant"
    elif kind == "value_error":
        text, right = (
            "this is not a duration",
            "write a positive number and one of d, h, m, s: 7d, 12h, 30m, 10s",
        )
    elif kind == "string_pattern_mismatch":
        text, right = _pattern(context["pattern"], description)
    elif kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        text, right = _bound(kind, context, found, description)
    elif kind in {"too_short", "string_too_short"}:
        text, right = "this is empty", f"write {description}" if description else "write at least one"
    elif kind in {"too_long", "string_too_long"}:
        text, right = "this is too long", f"at most {context['max_length']}"
    return document.error(where, found, text, right)


def _pattern(pattern: str, description: str | None) -> tuple[str, str]:
    if pattern.startswith("^[a-z]["):
        return "this is not a name", "names are lower-case letters, digits and _, and start with a letter"
    return (
        "this does not have the right form",
        f"write {description}" if description else f"it must match {pattern}",
    )


def _bound(kind: str, context: Any, found: Any, description: str | None) -> tuple[str, str]:
    limit = context.get("gt", context.get("ge", context.get("lt", context.get("le"))))
    sign = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}[kind]
    right = f"it must be {sign} {limit:g}" + (f": {description}" if description else "")
    if kind.startswith("less") and isinstance(found, int | float) and limit == 10:
        right = f"margins and effects are shares: write {found / 100:g} for {found:g} %"
    return "out of range", right


def _unwrap(annotation: Any) -> Any:
    """Return an annotation without ``Annotated`` and ``| None``."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        else:
            return annotation


def _annotation(model: Any, path: Path) -> Any:
    """Return the type that stands at ``path`` below ``model``, or None."""
    current = _unwrap(model)
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = _unwrap(field.annotation) if field else None
        elif get_origin(current) in (dict, list):
            current = _unwrap(get_args(current)[-1])
        else:
            return None
    return current


def _description(model: Any, path: Path) -> str | None:
    """Return what the field at ``path`` (or the one that holds it) is for."""
    for end in range(len(path), 0, -1):
        owner = _annotation(model, path[: end - 1])
        if isinstance(owner, type) and issubclass(owner, BaseModel) and path[end - 1] in owner.model_fields:
            return owner.model_fields[str(path[end - 1])].description
    return None


def _keys(annotation: Any) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return list(annotation.model_fields)
    return []


def _enum_words(annotation: Any) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return []
