"""Data Docs: one page a run, openable from disk, without a network and without scripts.

Great Expectations' own pages load fifteen files from other people's servers, so the results are rendered
here; the statement of each expectation is Great Expectations'. Example rows appear here and nowhere else.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from belay.quality.report import Check, Finding, QualityReport, Severity
from belay.quality.session import Asked

_NEWEST = 200
"""Pages that the index lists."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #b3261e; --odd: #8a5a00; --good: #0b6b50; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff9d94; --odd: #ffc46b; --good: #6fd3b4; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 0; }
section { border-top: 1px solid var(--line); padding: 1rem 0; }
.failed { color: var(--bad); } .unknown, .warning { color: var(--odd); } .passed { color: var(--good); }
.mark { font-weight: 600; } .muted { opacity: .75; font-size: .9rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; white-space: nowrap; }
"""


def write_page(report: QualityReport, asked: Mapping[str, Asked], folder: Path) -> QualityReport:
    """Write the page of ``report`` into ``folder``; return the report that names it.

    When it cannot be written (a full disk), the report stands without a page.
    """
    where = Path(_name(report.surface)) / (_name(report.optimization) if report.optimization else "history")
    try:
        target = folder / where
        target.mkdir(parents=True, exist_ok=True)
        number = 1
        while (target / (name := f"{report.now:%Y%m%dT%H%M%S}-{number:03}.html")).exists():
            number += 1
        _write(target / name, _page(report, asked))
        _write(folder / "index.html", _index(folder))
    except OSError:
        return report
    return replace(report, docs=(where / name).as_posix())


def _write(path: Path, text: str) -> None:
    """Write a file that nobody sees half of."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _page(report: QualityReport, asked: Mapping[str, Asked]) -> str:
    what = f"optimization {report.optimization}" if report.optimization else "history before any exposure"
    period = f"{report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC"
    examples = {key: rows for one in asked.values() for key, rows in one.examples.items()}
    statements = {key: text for one in asked.values() for key, text in one.statements.items()}
    sections = [
        _section(check, statements.get(check.id, ""), examples.get(check.id, ())) for check in report.checks
    ]
    title = f"Data quality of {report.surface}: {report.verdict}"
    return _document(
        title,
        f"<h1>{escape(title)}</h1><p>{escape(report.sentence)}</p>"
        f'<p class="muted">{escape(what)} · {period} · {report.rows:,} rows</p>' + "".join(sections),
    )


def _section(check: Check, statement: str, rows: tuple[dict[str, Any], ...]) -> str:
    warned = check.finding is Finding.FAILED and check.severity is Severity.WARNING
    kind = "warning" if warned else str(check.finding)
    parts = [
        f'<h2><span class="mark {kind}">{kind.replace("_", " ")}</span> {escape(check.id)}</h2>',
        f"<p>{escape(check.sentence)}</p>",
    ]
    if check.look_at:
        parts.append(f"<p><b>Look at:</b> {escape(check.look_at)}</p>")
    if statement:
        parts.append(f'<p class="muted">Great Expectations: {escape(statement)}</p>')
    if rows:
        parts.append(_table(rows))
    return f"<section>{''.join(parts)}</section>"


def _table(rows: tuple[dict[str, Any], ...]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in columns) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _cell(value: Any) -> str:
    return "<i>empty</i>" if value is None else escape(str(value)[:200])


def _index(folder: Path) -> str:
    pages = [path for path in folder.glob("*/*/*.html") if not path.name.startswith(".")]
    newest = sorted(pages, key=lambda path: path.stat().st_mtime, reverse=True)[:_NEWEST]
    items = "".join(
        f'<li><a href="{escape(path.relative_to(folder).as_posix())}">'
        f"{escape(path.relative_to(folder).with_suffix('').as_posix())}</a></li>"
        for path in newest
    )
    return _document("Data Docs", f"<h1>Data Docs</h1><ul>{items}</ul>")


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _name(text: str) -> str:
    """Return ``text`` as a folder's name: it may come from an agent."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:80] or "_"
