"""The policies of the demo's shop: the packaged ones, with the haste that only a simulated shop can bear."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from belay.policy.shared import DEFAULTS, merged

HASTE = Path(__file__).parent / DEFAULTS
"""What the shop lays over the packaged defaults."""

_HEAD = (
    "# The demo shop's defaults: the packaged ones under the shop's haste (its days pass in seconds).\n"
    "# Do not take them where people are to have a say: see include/capabilities/_defaults.yaml.\n"
)


def lay_out(packaged: Path, folder: Path) -> None:
    """Copy the policies of ``packaged`` to ``folder`` with the shop's haste; what is there already stays."""
    if folder.exists():
        return
    beside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(packaged, beside, ignore=shutil.ignore_patterns("__pycache__"))
    hasten(beside)
    beside.rename(folder)


def hasten(folder: Path) -> None:
    """Lay the shop's haste over the defaults of ``folder``."""
    file = folder / DEFAULTS
    defaults = yaml.safe_load(file.read_text(encoding="utf-8"))
    haste = yaml.safe_load(HASTE.read_text(encoding="utf-8"))
    file.write_text(_HEAD + yaml.safe_dump(merged(haste, defaults), sort_keys=False), encoding="utf-8")
