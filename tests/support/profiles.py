"""How long the property-based tests look: shortly on a laptop, thoroughly in CI, all night at night."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SEQUENCES = {"laptop": 150, "ci": 2_000, "nightly": 20_000}


def name() -> str:
    """Return the profile: ``HYPOTHESIS_PROFILE``, or ``ci`` in CI, or ``laptop``."""
    return os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "laptop")


def sequences() -> int:
    """Return how many sequences a state machine tries."""
    return _SEQUENCES[name()]


def register() -> None:
    """Register the profiles and load the one in use. Only the nightly one is random."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    for profile, examples in {"laptop": 50, "ci": 100, "nightly": 1_000}.items():
        settings.register_profile(
            profile,
            max_examples=examples,
            deadline=None,
            derandomize=profile != "nightly",
            suppress_health_check=quiet,
        )
    settings.load_profile(name())
