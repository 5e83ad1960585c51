"""What customers would see, as Block Kit: before and after, with nothing of the agent's interpreted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slack_sdk.models.blocks import (
    RichTextBlock,
    RichTextElement,
    RichTextElementParts,
    RichTextQuoteElement,
    RichTextSectionElement,
)

from belay.present.change import VariantChange
from belay.slack.text import harmless

_FIELDS, _VARIANTS = 3, 3
"""Fields of a variant, and variants, that a message shows; the rest is behind the link."""


def change_block(changes: Sequence[VariantChange], *, page: str, longest: int = 160) -> RichTextBlock | None:
    """Return the block, or None where nothing is changed (a promotion).

    Parameters
    ----------
    changes
        From `belay.present.change.change_of`.
    page
        Where all of it can be read; linked where something is left out or cut.
    longest
        Characters of each side that are shown.
    """
    if not changes:
        return None
    elements: list[RichTextElement] = []
    cut = len(changes) > _VARIANTS
    for change in changes[:_VARIANTS]:
        whose = f", variant {harmless(change.variant, 60)}" if change.variant else ""
        one = change.differences[0].field if len(change.differences) == 1 else ""
        field = f" ({harmless(one, 60)})" if one else ""
        title = f"What customers would see{field}{whose}"
        elements.append(RichTextSectionElement(elements=[_text(title, bold=True)]))
        elements += _sides(change, longest)
        shown = change.differences[:_FIELDS]
        cut |= len(change.differences) > len(shown)
        cut |= any(max(len(one.before), len(one.after)) > longest for one in shown)
    if cut:
        link = RichTextElementParts.Link(url=page, text="Show all of the change")
        elements.append(RichTextSectionElement(elements=[link]))
    return RichTextBlock(elements=elements)


def _sides(change: VariantChange, longest: int) -> Iterator[RichTextElement]:
    for one in change.differences[:_FIELDS]:
        several = len(change.differences) > 1
        field = [_text(f"{harmless(one.field, 60)}\n")] if several and one.field else []
        yield RichTextQuoteElement(
            elements=[
                *field,
                _text(f"Now: {harmless(one.before, longest)}\n"),
                _text("New: "),
                _text(harmless(one.after, longest), bold=True),
            ]
        )
    if not change.differences:
        yield RichTextQuoteElement(elements=[_text("Nothing: the new version is the same as the old one.")])
    if (more := len(change.differences) - _FIELDS) > 0:
        yield RichTextSectionElement(
            elements=[_text(f"and {more} more {'field' if more == 1 else 'fields'}")]
        )


def _text(text: str, *, bold: bool = False) -> RichTextElementParts.Text:
    style = RichTextElementParts.TextStyle(bold=True) if bold else None
    return RichTextElementParts.Text(text=text, style=style)
