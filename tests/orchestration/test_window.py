"""The trigger of the measurement window: it can be handed over, and blindness never ends it."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture
def trigger(monkeypatch):
    from belay.orchestration import window

    monkeypatch.setattr(window, "SETTLES_SECONDS", 0.0)
    return lambda **more: window.MeasurementWindowTrigger("checkout-delivery-date", 1, 0.01, **more)


def test_another_process_makes_the_same_trigger_from_what_is_stored(trigger):
    from importlib import import_module

    path, arguments = trigger().serialize()
    module, name = path.rsplit(".", 1)
    again = getattr(import_module(module), name)(**arguments)
    assert again.serialize() == (path, arguments)


def test_arguments_of_another_belay_are_accepted(trigger):
    assert trigger(added_later=1).serialize() == trigger().serialize()


def test_it_ends_once_with_what_the_ledger_says(trigger, reviewed):
    reviewed()
    assert events(trigger()) == ["no harm shown"]


def test_a_step_that_is_not_under_way_ends_it(trigger, belay):
    (sentence,) = events(trigger())
    assert "no step 1 under way" in sentence


def test_a_look_that_fails_is_taken_again(trigger, reviewed, belay, monkeypatch):
    """The ledger is away for two looks, and then it is back."""
    from belay.ledger.store import LedgerError

    reviewed()
    state, failures = belay.ledger.state, iter([LedgerError("locked"), OSError("gone")])

    def sometimes():
        if (failure := next(failures, None)) is not None:
            raise failure
        return state()

    monkeypatch.setattr(belay.ledger, "state", sometimes)
    assert events(trigger()) == ["no harm shown"]
    assert next(failures, None) is None


def events(trigger):
    async def collect():
        return [event.payload["sentence"] async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(collect(), 20))
