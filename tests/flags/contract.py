"""What every flag system has to keep to: its test class inherits this, and gives the fixture `target`.

class TestToy(FlagTargetContract):
    @pytest.fixture
    def target(self) -> FlagTarget:
        return Toy()
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from belay.flags.target import FlagTarget, ServedFlag, StaleEpoch

MakeFlag = Callable[..., ServedFlag]


class FlagTargetContract:
    """Its tests run on the fixture ``target``: a flag system that serves nothing yet."""

    def test_nothing_is_served_before_anything_is_applied(self, target: FlagTarget) -> None:
        assert target.read("calm-button") is None
        assert target.read_all() == {}

    def test_apply_serves_and_repeats(self, target: FlagTarget, make_flag: MakeFlag) -> None:
        for _ in range(2):
            target.apply(make_flag())
        assert target.read_all() == {"calm-button": make_flag()}

    def test_a_higher_epoch_widens_and_narrows(self, target: FlagTarget, make_flag: MakeFlag) -> None:
        for epoch, scope in ((1, 100), (2, 500), (7, 0)):
            target.apply(make_flag(scope=scope, epoch=epoch))
            served = target.read("calm-button")
            assert served is not None
            assert (served.scope, served.epoch) == (scope, epoch)

    def test_every_field_comes_back(self, target: FlagTarget, make_flag: MakeFlag) -> None:
        """Whom it is shown to, who is held out by which salt, which ledger decided it: all of it counts."""
        whole = make_flag(
            scope=10_000,
            epoch=3,
            holdout=500,
            holdout_salt="checkout_wording",
            audience={"country": "SE"},
            holdback=200,
            rotation=3,
            ledger="4f21ab",
        )
        target.apply(whole)
        served = target.read(whole.key)
        assert served == whole
        assert served is not None
        assert served.ledger == whole.ledger, "equality leaves the ledger out"
        assert served.intact
        assert served.audience == whole.audience

    @pytest.mark.parametrize("change", [{"epoch": 1}, {"scope": 500}, {"holdout": 5}, {"surface": "home"}])
    def test_a_late_writer_is_refused(
        self, target: FlagTarget, make_flag: MakeFlag, change: dict[str, object]
    ) -> None:
        target.apply(make_flag(epoch=2))
        with pytest.raises(StaleEpoch, match="comes too late"):
            target.apply(make_flag(**({"epoch": 2} | change)))
        assert target.read("calm-button") == make_flag(epoch=2)

    def test_many_at_once_or_none(self, target: FlagTarget, make_flag: MakeFlag) -> None:
        flags = [make_flag(key=f"flag-{number}") for number in range(20)]
        target.apply_all(flags)
        target.apply_all([])
        assert target.read_all() == {flag.key: flag for flag in flags}
        late = [make_flag(key="flag-1", scope=0, epoch=2), make_flag(key="flag-2", scope=500, epoch=1)]
        with pytest.raises(StaleEpoch):
            target.apply_all(late)
        assert target.read_all() == {flag.key: flag for flag in flags}

    def test_the_last_door_is_asked_with_what_is_served_and_can_say_no(
        self, target: FlagTarget, make_flag: MakeFlag
    ) -> None:
        asked: list[ServedFlag | None] = []
        target.apply(make_flag(), ask=asked.append)
        target.apply(make_flag(), ask=asked.append)
        assert asked == [None], "what is served already is not written, and nothing is asked"

        def no(served: ServedFlag | None) -> None:
            raise PermissionError(served)

        with pytest.raises(PermissionError):
            target.apply(make_flag(scope=500, epoch=2), ask=no)
        assert target.read("calm-button") == make_flag()
