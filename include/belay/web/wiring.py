"""The services behind the pages: one for the whole web server."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from fastapi import Depends

from belay.services import Services


@cache
def services() -> Services:
    """Return this process's services."""
    return Services()


BelayDep = Annotated[Services, Depends(services)]
