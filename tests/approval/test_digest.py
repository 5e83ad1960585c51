"""The weekly review: what AI would have done, what it expects, and what data say."""

from __future__ import annotations

from tests.support.builders import Rehearsal, a_policy

from belay.approval.digest import digest_text
from belay.domain import commands as c
from belay.domain.gates import Estimate
from belay.domain.proposal import Prediction
from belay.domain.stages import Stage


def test_what_data_say_stands_beside_what_the_agent_expects() -> None:
    rehearsal = Rehearsal(a_policy(initial_stage=Stage.OBSERVE))
    rehearsal.proposed("told", prediction=Prediction(0.05, 0.01, 0.09))
    rehearsal.proposed("untold")
    rehearsal.do(c.RecordShadow("told", Estimate(-0.02, -0.05, 0.01), "would hurt", None))
    text = digest_text(rehearsal.state)
    assert "it expects +5.0% (+1.0% to +9.0%); data say −2.0% (−5.0% to +1.0%)" in text
    assert "it does not say what it expects; no data tell what it would have done" in text
