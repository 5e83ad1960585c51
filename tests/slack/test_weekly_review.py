"""At observe the week's proposals are listed once, and judged where they are listed."""

from __future__ import annotations

import yaml
from tests.slack.conftest import DANA, NORA, TIMO

from belay.domain import commands as c
from belay.domain.gates import Estimate
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.gates.outcome import execute
from belay.slack import watch
from belay.slack.serve import watcher_of
from belay.storefront.scenario import SCENARIOS


def proposed(belay):
    file = belay.settings.policies / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("initial_stage: supervised", "initial_stage: observe"))
    document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
    return propose(belay, parse_proposal(document)).id


def test_the_weeks_list_is_posted_once_and_answered_in_slack(slack, belay, settings, served):
    name = proposed(belay)

    def lists():
        return [m for m in slack.posted() if "would you?" in m["text"]]

    slack.until("the list is posted", lists)
    assert name in lists()[0]["text"]
    assert watcher_of(belay, settings).tick() in ([], [lists()[0]["metadata"]["event_payload"]["name"]])
    assert len(lists()) == 1, "another watcher finds it and posts nothing"
    slack.command(TIMO, f"judge {name} yes why not")
    slack.command(NORA, f"judge {name} perhaps")
    slack.command(NORA, f"judge {name} yes I would have done that")
    slack.until("the judgement counts", lambda: belay.ledger.state().optimizations[name].results.judgements)
    (said,) = belay.ledger.state().optimizations[name].results.judgements
    assert (said.judge, said.agrees, said.counted) == ("nora", True, True)
    assert DANA, "dana answers for the agent; her judgement would not count"


def test_what_data_say_is_read_once_before_the_list_is_posted(slack, belay, settings, monkeypatch):
    name, read = proposed(belay), []

    def measure(services, policy):
        read.append(policy.id)
        execute(services, c.RecordShadow(name, Estimate(0.03, 0.01, 0.05), "would help", None), by="shadow")
        return []

    monkeypatch.setattr(watch, "measure_shadows", measure)
    watcher = watcher_of(belay, settings)
    assert watcher.tick()
    assert watcher.tick() == []
    (posted,) = [m for m in slack.posted() if "would you?" in m["text"]]
    assert "data say +3.0% (+1.0% to +5.0%)" in posted["text"]
    assert read == ["checkout_wording"]
