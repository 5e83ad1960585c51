"""Block Kit as HTML: a message as Slack shows it on a desk and on a phone, drawn from what was really posted.

Only the blocks that Belay posts. The rules of ``mrkdwn`` are Slack's: entities first, then what stands in
angle brackets, then formatting; ``plain_text`` and ``rich_text`` interpret nothing.
Reference: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

STYLE = """
body { margin: 0; background: #fff; color: #1d1c1d; font: 15px/1.46 Lato, "DejaVu Sans", Arial, sans-serif; }
.channel { max-width: 1000px; padding: 16px; box-sizing: border-box; }
@media (min-width: 700px) { .channel { padding: 18px 20px; } .modal { width: 520px; } }
.message { display: grid; grid-template-columns: 36px 1fr; gap: 0 10px; }
.face { width: 36px; height: 36px; border-radius: 6px; background: #7a3e2b; color: #fff; font-weight: bold;
  display: grid; place-items: center; }
.app { background: #e8e8e8; color: #616061; font-size: 10px; font-weight: bold; padding: 1px 4px;
  border-radius: 2px; margin: 0 6px; }
.at { color: #616061; font-size: 12px; }
.block { margin: 8px 0; overflow-wrap: anywhere; }
.header { font-size: 18px; font-weight: 900; }
.section { display: flex; justify-content: space-between; gap: 16px; white-space: pre-wrap; }
.words { white-space: pre-wrap; margin-top: 4px; }
ul { margin: 2px 0; padding-left: 22px; } ul .words { margin: 0; }
.section .accessory { flex: none; }
.quote { border-left: 4px solid #ddd; padding-left: 12px; white-space: pre-wrap; margin-top: 4px; }
pre { background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px; padding: 8px; margin: 0;
  overflow-x: auto; font: 12px/1.5 "DejaVu Sans Mono", monospace; }
code { background: #f8f8f8; border: 1px solid #ddd; border-radius: 3px; padding: 1px 3px; color: #c01343;
  font-size: 12px; }
.context { color: #616061; font-size: 13px; display: flex; flex-wrap: wrap; gap: 2px 10px; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; }
button { border: 1px solid #bbb; border-radius: 4px; background: #fff; padding: 6px 12px; height: 32px;
  font: bold 13px Lato, "DejaVu Sans", sans-serif; white-space: nowrap; color: #1d1c1d; }
button.primary { background: #007a5a; border-color: #007a5a; color: #fff; }
button.danger { background: #e01e5a; border-color: #e01e5a; color: #fff; }
img { max-width: min(100%, 360px); border: 1px solid #ddd; border-radius: 8px; display: block; }
.mention { background: #e8f5fa; color: #1264a3; }
a { color: #1264a3; text-decoration: none; }
.emoji { display: inline-block; min-width: 1.2em; text-align: center; border-radius: 4px; color: #fff;
  font-size: .85em; }
.thread { margin: 10px 0 0 46px; border-left: 2px solid #eee; padding-left: 12px; font-size: 14px; }
.thread p { margin: 4px 0; white-space: pre-wrap; }
.thread h4 { margin: 0; font-size: 12px; color: #616061; }
.modal { margin: 16px; box-sizing: border-box; border-radius: 8px; padding: 20px;
  box-shadow: 0 2px 18px #0004; }
.modal h3 { margin: 0 0 8px; }
.modal label { font-weight: bold; display: block; margin: 12px 0 4px; }
.modal .input { border: 1px solid #888; border-radius: 4px; padding: 8px; min-height: 64px; }
.modal .choice { display: flex; gap: 8px; align-items: center; margin: 6px 0; }
.modal .choice i { flex: none; width: 14px; height: 14px; border: 1.5px solid #888;
  border-radius: 50%; }
.modal .choice.chosen i { border: 5px solid #1264a3; width: 7px; height: 7px; }
.modal .soft { color: #616061; font-weight: normal; }
.modal .foot { display: flex; gap: 8px; justify-content: flex-end; margin-top: 16px; }
"""

_EMOJI = {
    "✅": ("✔", "#2eb67d"),
    "⛔": ("–", "#e01e5a"),
    "🚫": ("⊘", "#e01e5a"),
    "⌛": ("⧗", "#b8860b"),
    "❌": ("✕", "#e01e5a"),
    "❔": ("?", "#616061"),
    "⚠️": ("!", "#b8860b"),
    "⏰": ("◷", "#e01e5a"),
    "⏫": ("⇈", "#1264a3"),
}
"""Slack draws emoji itself, whatever fonts there are; so does this."""

Files = Callable[[str], Path]
Names = Mapping[str, str]


def page(
    message: Mapping[str, Any], *, files: Files, names: Names, thread: Sequence[str] = (), at: str = ""
) -> str:
    """Return a page with one message of Belay and its thread.

    Parameters
    ----------
    files
        From a file's id to the picture that was uploaded under it.
    names
        From a Slack id to the name that a mention shows.
    """
    blocks = "".join(_block(block, files, names) for block in message["blocks"])
    who = (
        f'<div class="who"><b>Belay</b><span class="app">APP</span><span class="at">{escape(at)}</span></div>'
    )
    lines = "".join(f"<p>{mrkdwn(line, names)}</p>" for line in thread)
    count = f"{len(thread)} {'reply' if len(thread) == 1 else 'replies'}"
    replies = f'<div class="thread"><h4>{count}</h4>{lines}</div>' if thread else ""
    body = f'<div class="message"><div class="face">B</div><div>{who}{blocks}</div></div>{replies}'
    return _document(f'<div class="channel">{body}</div>')


def modal(view: Mapping[str, Any], *, typed: str = "", chosen: int | None = None) -> str:
    """Return a page with the modal ``view``, where somebody chose a reason (by number) and ``typed`` more."""
    parts = []
    for block in view["blocks"]:
        if block["type"] == "input":
            optional = ' <span class="soft">(optional)</span>' if block.get("optional") else ""
            parts.append(f"<label>{_text(block['label'], {})}{optional}</label>")
            parts.append(_field(block["element"], typed, chosen))
        else:
            parts.append(_block(block, Path, {}))
    foot = f"<button>{_text(view['close'], {})}</button>"
    foot += f'<button class="primary">{_text(view["submit"], {})}</button>'
    title = f"<h3>{_text(view['title'], {})}</h3>"
    return _document(f'<div class="modal">{title}{"".join(parts)}<div class="foot">{foot}</div></div>')


def _field(element: Mapping[str, Any], typed: str, chosen: int | None) -> str:
    if element["type"] != "radio_buttons":
        return f'<div class="input">{escape(typed)}</div>'
    return "".join(
        f'<div class="choice{" chosen" if number == chosen else ""}"><i></i>{_text(option["text"], {})}</div>'
        for number, option in enumerate(element["options"])
    )


def mrkdwn(text: str, names: Names) -> str:
    """Return Slack's mrkdwn as HTML."""
    shown = "".join(
        _bracketed(part[1:-1], names) if part.startswith("<") else _formatted(part)
        for part in re.split(r"(<[^<>\n]*>)", text)
    )
    # Bold may span a mention or a time, so it is paired over the whole.
    return re.sub(r"(?<![\w*])\*(?=\S)([^*\n\u200b]+?)(?<=\S)\*(?![\w*\u200b])", r"<b>\1</b>", shown)


def _document(body: str) -> str:
    for emoji, (sign, colour) in _EMOJI.items():
        body = body.replace(emoji, f'<span class="emoji" style="background: {colour}">{sign}</span>')
    head = '<meta charset=utf-8><meta name=viewport content="width=device-width">'
    return f"<!doctype html>{head}<style>{STYLE}</style>{body}"


def _block(block: Mapping[str, Any], files: Files, names: Names) -> str:
    kind = block["type"]
    inner = {
        "header": lambda: _text(block["text"], names),
        "section": lambda: f"<div>{_text(block['text'], names)}</div>{_accessory(block)}",
        "context": lambda: "".join(f"<span>{_text(element, names)}</span>" for element in block["elements"]),
        "actions": lambda: "".join(_button(element) for element in block["elements"]),
        "image": lambda: _image(files(block["slack_file"]["id"]), block["alt_text"]),
        "rich_text": lambda: "".join(_rich(element) for element in block["elements"]),
        "divider": lambda: "<hr>",
    }[kind]()
    return f'<div class="block {kind}">{inner}</div>'


def _accessory(block: Mapping[str, Any]) -> str:
    return f'<div class="accessory">{_button(block["accessory"])}</div>' if "accessory" in block else ""


def _button(element: Mapping[str, Any]) -> str:
    return f'<button class="{element.get("style", "")}">{_text(element["text"], {})}</button>'


def _image(path: Path, alt_text: str) -> str:
    picture = base64.b64encode(path.read_bytes()).decode()
    return f'<img src="data:image/png;base64,{picture}" alt="{escape(alt_text)}">'


def _rich(element: Mapping[str, Any]) -> str:
    if element["type"] == "rich_text_list":
        items = "".join(f"<li>{_rich(section)}</li>" for section in element["elements"])
        return f"<ul>{items}</ul>"
    inner = "".join(_run(run) for run in element["elements"])
    if element["type"] == "rich_text_preformatted":
        return f"<pre>{inner}</pre>"
    return f'<div class="{"quote" if element["type"] == "rich_text_quote" else "words"}">{inner}</div>'


def _run(run: Mapping[str, Any]) -> str:
    assert run["type"] in {"text", "link"}, run
    shown = f"<b>{escape(run['text'])}</b>" if run.get("style", {}).get("bold") else escape(run["text"])
    return f'<a href="{escape(run["url"])}">{shown}</a>' if run["type"] == "link" else shown


def _text(text: Mapping[str, Any], names: Names) -> str:
    return mrkdwn(text["text"], names) if text["type"] == "mrkdwn" else escape(text["text"])


def _bracketed(inside: str, names: Names) -> str:
    """Return what ``<…>`` shows: a mention, a moment or a link."""
    target, _, label = inside.partition("|")
    if target.startswith("!date^"):
        seconds = int(target.split("^")[1])
        return escape(f"{datetime.fromtimestamp(seconds, UTC):%d %B %Y, %H:%M} UTC")
    if target.startswith("@"):
        return f'<span class="mention">@{escape(names.get(target[1:], target[1:]))}</span>'
    if target.startswith(("!", "#")):
        return f'<span class="mention">{escape(label or target)}</span>'
    return f'<a href="{escape(target)}">{escape(label or target)}</a>'


def _formatted(text: str) -> str:
    whole = escape(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), quote=False)
    return re.sub(r"`([^`\n\u200b]+)`(?!\u200b)", r"<code>\1</code>", whole)
