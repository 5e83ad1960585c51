"""How long the property-based tests look: shortly on a laptop, thoroughly in CI, all night at night.

The profile `mutation` is short: hundreds of mutants are judged by it (docs/testing.md).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_SEQUENCES = {"laptop": 150, "ci": 500, "nightly": 20_000, "mutation": 60}


def name() -> str:
    """Return the profile: ``HYPOTHESIS_PROFILE``, or ``ci`` in CI, or ``laptop``."""
    return os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "laptop")


def sequences() -> int:
    """Return how many sequences a state machine tries."""
    return _SEQUENCES[name()]


def register() -> None:
    """Register the profiles and load the one in use. Only the nightly one is random."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    for profile, examples in {"laptop": 50, "ci": 100, "nightly": 1_000, "mutation": 20}.items():
        settings.register_profile(
            profile,
            max_examples=examples,
            deadline=None,
            derandomize=profile != "nightly",
            suppress_health_check=quiet,
        )
    # Whether a mutant is noticed is all that is asked: no smaller example is looked for.
    unshrunk = [Phase.explicit, Phase.generate]
    settings.register_profile("mutation", settings.get_profile("mutation"), phases=unshrunk, database=None)
    settings.load_profile(name())
