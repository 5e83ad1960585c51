"""The style sheet and the script of the pages; both ours, both small, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from belay.web.auth import reader

router = APIRouter(prefix="/static", dependencies=[reader])

_FOLDER = Path(__file__).parent / "static"


@router.get("/belay.css")
def style() -> FileResponse:
    """Return the style sheet."""
    return FileResponse(_FOLDER / "belay.css", media_type="text/css")


@router.get("/belay.js")
def script() -> FileResponse:
    """Return the script of the answer buttons."""
    return FileResponse(_FOLDER / "belay.js", media_type="text/javascript")
