"""What Slack's published types and limits say of a message: an independent check of what is posted.

Written from the Block Kit reference (https://docs.slack.dev/reference/block-kit) and the types in the npm
package ``@slack/types``: for each object its keys, which of them it needs, and the limits of its texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

_BLOCKS: Mapping[str, tuple[set[str], set[str]]] = {
    "header": ({"text"}, set()),
    "divider": (set(), set()),
    "section": (set(), {"text", "fields", "accessory", "expand"}),
    "context": ({"elements"}, set()),
    "actions": ({"elements"}, set()),
    "image": ({"alt_text"}, {"slack_file", "image_url", "title"}),
    "rich_text": ({"elements"}, set()),
    "input": ({"label", "element"}, {"dispatch_action", "hint", "optional"}),
}
"""Block to the keys it needs and those it may have, besides ``type`` and ``block_id``."""

_LIMITS = {"header": 150, "section": 3000, "button": 75, "context": 3000}
_RICH = {
    "rich_text_section": ({"elements"}, set()),
    "rich_text_list": ({"elements", "style"}, {"indent", "offset", "border"}),
    "rich_text_quote": ({"elements"}, {"border"}),
    "rich_text_preformatted": ({"elements"}, {"border"}),
    "text": ({"text"}, {"style"}),
    "link": ({"url"}, {"text", "style"}),
}


def faults(message: Mapping[str, Any]) -> list[str]:
    """Return what Slack would refuse, each with its place; empty when it would take the message."""
    return list(_message(message))


def _message(message: Mapping[str, Any]) -> Iterator[str]:
    text = message.get("text")
    if not text:
        yield "text: missing: screen readers and notifications need it"
    elif len(text) > 4000:
        yield f"text: {len(text)} characters, at most 4000"
    blocks = message.get("blocks", [])
    if len(blocks) > 50:
        yield "blocks: at most 50 blocks"
    for index, block in enumerate(blocks):
        yield from _block(block, f"blocks[{index}]")
    for key in ("action_id", "block_id"):
        for value, times in Counter(_values(blocks, key)).items():
            if times > 1:
                yield f"blocks: {key} {value!r} is used twice"
            if not 0 < len(value) <= 255:
                yield f"blocks: {key} {value[:20]!r} has {len(value)} characters, 1 to 255"


def _block(block: Mapping[str, Any], at: str) -> Iterator[str]:
    kind = str(block.get("type"))
    if kind not in _BLOCKS:
        yield f"{at}: unknown block {kind!r}"
        return
    yield from _keys(block, *_BLOCKS[kind], at=at)
    if kind in {"header", "section"} and "text" in block:
        yield from _text(block["text"], _LIMITS[kind], f"{at}.text")
    if kind == "section" and "accessory" in block:
        yield from _button(block["accessory"], f"{at}.accessory")
    if kind in {"context", "actions", "rich_text"}:
        yield from _elements(kind, block["elements"], at)
    if kind == "input":
        yield from _text(block["label"], 2000, f"{at}.label", plain=True)
        yield from _field(block["element"], f"{at}.element")
    if kind == "image" and len(block.get("alt_text", "")) > 2000:
        yield f"{at}.alt_text: at most 2000 characters"


def _elements(kind: str, elements: list[Any], at: str) -> Iterator[str]:
    most = {"context": 10, "actions": 25, "rich_text": 1000}[kind]
    if not 0 < len(elements) <= most:
        yield f"{at}: 1 to {most} elements"
    for index, element in enumerate(elements):
        place = f"{at}.elements[{index}]"
        if kind == "context":
            yield from _text(element, _LIMITS[kind], place)
        elif kind == "actions":
            yield from _button(element, place)
        else:
            yield from _rich(element, place)


def _rich(element: Mapping[str, Any], at: str) -> Iterator[str]:
    kind = str(element.get("type"))
    if kind not in _RICH:
        yield f"{at}: unknown element {kind!r}"
        return
    yield from _keys(element, *_RICH[kind], at=at)
    if kind in {"text", "link"}:
        if not element.get("text"):
            yield f"{at}.text: empty"
        return
    if kind == "rich_text_list" and element.get("style") not in {"bullet", "ordered"}:
        yield f"{at}.style: bullet or ordered"
    for index, inner in enumerate(element["elements"]):
        if kind == "rich_text_list" and inner.get("type") != "rich_text_section":
            yield f"{at}.elements[{index}]: a list holds sections"
        yield from _rich(inner, f"{at}.elements[{index}]")


def _field(element: Mapping[str, Any], at: str) -> Iterator[str]:
    """Yield what is wrong with a field of a form: a text, or a choice of one."""
    if element.get("type") == "plain_text_input":
        allowed = {"multiline", "max_length", "min_length", "placeholder", "initial_value"}
        yield from _keys(element, {"action_id"}, allowed, at=at)
        if not 1 <= element.get("max_length", 3000) <= 3000:
            yield f"{at}.max_length: 1 to 3000"
        return
    if element.get("type") != "radio_buttons":
        yield f"{at}: unknown field {element.get('type')!r}"
        return
    yield from _keys(element, {"action_id", "options"}, {"initial_option"}, at=at)
    if not 1 <= len(element["options"]) <= 10:
        yield f"{at}.options: 1 to 10 options"
    for index, option in enumerate(element["options"]):
        yield from _text(option["text"], 75, f"{at}.options[{index}].text")
        if not 1 <= len(option["value"]) <= 150:
            yield f"{at}.options[{index}].value: 1 to 150 characters"


def _button(element: Mapping[str, Any], at: str) -> Iterator[str]:
    if element.get("type") != "button":
        yield f"{at}: unknown element {element.get('type')!r}"
        return
    allowed = {"action_id", "url", "value", "style", "confirm", "accessibility_label"}
    yield from _keys(element, {"text"}, allowed, at=at)
    yield from _text(element["text"], _LIMITS["button"], f"{at}.text", plain=True)
    if len(element.get("value", "")) > 2000:
        yield f"{at}.value: at most 2000 characters"
    if len(element.get("url", "")) > 3000:
        yield f"{at}.url: at most 3000 characters"
    if element.get("style", "primary") not in {"primary", "danger"}:
        yield f"{at}.style: primary or danger"
    if confirm := element.get("confirm"):
        limits = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
        yield from _keys({**confirm, "type": "confirm"}, set(limits), {"style"}, at=f"{at}.confirm")
        for key, limit in limits.items():
            yield from _text(confirm[key], limit, f"{at}.confirm.{key}")


def _text(text: Mapping[str, Any], limit: int, at: str, *, plain: bool = False) -> Iterator[str]:
    kinds = {"plain_text"} if plain else {"plain_text", "mrkdwn"}
    if text.get("type") not in kinds:
        yield f"{at}: unknown text {text.get('type')!r}"
    elif not text.get("text"):
        yield f"{at}: empty"
    elif len(text["text"]) > limit:
        yield f"{at}: {len(text['text'])} characters, at most {limit} characters"


def _keys(thing: Mapping[str, Any], needed: set[str], allowed: set[str], *, at: str) -> Iterator[str]:
    for key in needed - set(thing):
        yield f"{at}: missing {key!r}"
    for key in set(thing) - needed - allowed - {"type", "block_id"}:
        yield f"{at}: unknown key {key!r}"


def _values(thing: Any, key: str) -> Iterator[str]:
    if isinstance(thing, list):
        for part in thing:
            yield from _values(part, key)
    elif isinstance(thing, dict):
        if isinstance(thing.get(key), str):
            yield thing[key]
        for value in thing.values():
            yield from _values(value, key)
