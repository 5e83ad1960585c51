"""Files that people and agents write: broken, unknown to the catalogue, not allowed, or there already."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bad_input.conftest import NAME, nothing_widened_nothing_lost
from tests.cli.conftest import PROPOSALS

from belay.domain import commands as c
from belay.domain.gates import Verdict
from belay.domain.state import Status
from belay.execution import RefusedError, execute
from belay.gates.admit import admit
from belay.services import Services


def test_a_proposal_that_is_no_yaml(belay, home: Path, services: Services, documented) -> None:
    file = home.parent / "proposal.yaml"
    file.write_text("optimization: a-b\nvariants: [{key: treatment\ncapability: checkout_wording\n")
    done = belay("propose", file)
    assert done.exit_code == 2
    documented(done.stderr)
    assert not (home / "ledger.db").exists()


def test_a_proposal_with_wrong_fields(belay, home: Path, documented) -> None:
    file = home.parent / "proposal.yaml"
    text = (PROPOSALS / f"{NAME}.yaml").read_text()
    file.write_text(
        text.replace("agent: copywriter", "agnet: copywriter").replace("effect: 0.08", "effect: a lot")
    )
    done = belay("propose", file)
    assert done.exit_code == 2
    documented(done.stderr)
    assert not (home / "ledger.db").exists()


def test_a_capability_file_that_is_no_yaml(belay, policies: Path, services: Services, documented) -> None:
    (policies / "search_ranking.yaml").write_text("title: Search\nowner: [stefan\nsurface: search\n")
    done = belay("policy", "check")
    assert done.exit_code == 1
    documented(done.stderr)
    assert "3 capabilities can be used: brand_voice, checkout_wording, retention_offers" in done.stdout
    refused = belay("propose", PROPOSALS / "search-synonyms.yaml")
    assert refused.exit_code == 2
    documented(refused.stderr)
    assert belay("propose", PROPOSALS / f"{NAME}.yaml").exit_code == 0
    assert list(services.ledger.state().optimizations) == [NAME]
    nothing_widened_nothing_lost(services)


def test_an_unknown_metric(belay, policies: Path, services: Services, documented) -> None:
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("page_errors:", "page_erors:"))
    done = belay("policy", "check")
    assert done.exit_code == 1
    documented(done.stderr)
    assert "3 capabilities can be used" in done.stdout


@pytest.mark.usefixtures("shop")
def test_a_proposal_for_a_human_only_capability(belay, home: Path, services: Services, documented) -> None:
    file = home.parent / "proposal.yaml"
    text = (PROPOSALS / f"{NAME}.yaml").read_text()
    file.write_text(text.replace("checkout_wording", "brand_voice").replace(NAME, "brand-promise"))
    assert belay("propose", file).exit_code == 0
    held = admit(services, "brand-promise", "brand-promise__step1")
    assert held.verdict is Verdict.HOLD
    documented(held.sentence.split("; ")[0])
    assert services.ledger.state().optimizations["brand-promise"].status is Status.HELD
    with pytest.raises(RefusedError) as refused:
        execute(services, c.IntendWidening("brand-promise", 1), by="flag-writer")
    documented(str(refused.value))
    nothing_widened_nothing_lost(services)


def test_a_duplicate_proposal(belay, home: Path, services: Services, documented) -> None:
    file = home.parent / "proposal.yaml"
    file.write_text((PROPOSALS / f"{NAME}.yaml").read_text())
    assert belay("propose", file).exit_code == 0
    before = services.ledger.head()
    again = belay("propose", file)
    assert again.exit_code == 0
    documented(again.stdout.splitlines()[0])
    assert services.ledger.head() == before
    file.write_text(file.read_text().replace("Thursday", "Friday"))
    other = belay("propose", file)
    assert other.exit_code == 1
    proposed = services.ledger.state().optimizations[NAME].proposed_at
    documented(other.stderr.replace(f"{proposed:%Y-%m-%d %H:%M}", "TIME"))
    nothing_widened_nothing_lost(services)
