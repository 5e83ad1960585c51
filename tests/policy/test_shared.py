"""A mistake in a shared file breaks only the capabilities that need what is wrong."""

from __future__ import annotations

from belay.domain.roster import AirflowUser


def other(folder):
    """A second capability that shares as little as possible with the example."""
    text = (folder.path / "example.yaml").read_text()
    text = text.replace("owner: carla", "owner: lena").replace("support_tickets: 1.0", "unsubscribes: 1.0")
    folder.write("other", text.replace("surface: checkout", "surface: account"))


def test_shipped_files_have_no_errors_and_load(folder):
    assert folder.errors() == []


def test_a_metric_without_direction_breaks_the_margins_on_it(folder):
    other(folder)
    folder.edit(
        "_metrics",
        "direction: decrease\n    value: outcomes.support_tickets",
        "value: outcomes.support_tickets",
    )
    loaded = folder.load()
    assert set(loaded.capabilities) == {"other"}
    [error] = loaded.errors_of("example")
    assert error.file == "_metrics.yaml"
    assert "has no direction, so a margin on it means nothing" in error.problem
    assert loaded.errors == (error,)


def test_a_metric_that_does_not_resolve(folder):
    other(folder)
    folder.edit("_metrics", "value: outcomes.support_tickets", "value: outcomes.support_tikets")
    loaded = folder.load()
    assert set(loaded.capabilities) == {"other"}
    assert "source 'outcomes' has no column 'support_tikets'" in str(loaded.errors[0])
    assert "did you mean 'support_tickets'?" in str(loaded.errors[0])


def test_a_source_that_does_not_exist_and_keys_that_cannot_apply(folder):
    folder.edit(
        "_metrics",
        "value: outcomes.support_tickets",
        "value: tickets.opened\n    cap: 3\n    denominator: outcomes.page_views",
    )
    problems = [str(error) for error in folder.load().errors]
    assert any("there is no source 'tickets'" in problem for problem in problems)
    assert any("a cap cannot apply to a rare_count" in problem for problem in problems)
    assert any("a rare_count has no denominator" in problem for problem in problems)


def test_a_covariate_must_be_known_before_the_exposure(folder):
    folder.edit("_metrics", "covariate: units.pre_revenue", "covariate: outcomes.revenue")
    assert "a covariate must not come from outcomes" in folder.error()


def test_a_ratio_needs_a_denominator(folder):
    folder.edit("_metrics", "    denominator: outcomes.page_views\n", "")
    assert "a ratio has no denominator" in folder.error()
    assert set(folder.load().capabilities) == {"example"}


def test_a_broken_catalogue_is_reported_once(folder):
    folder.write("_metrics", "metrics: [")
    loaded = folder.load()
    assert loaded.capabilities == {}
    assert [error.file for error in loaded.errors] == ["_metrics.yaml"]


def test_a_broken_person_breaks_what_they_own(folder):
    other(folder)
    folder.edit("_people", "email: carla@shop.example", "email: carla")
    loaded = folder.load()
    assert set(loaded.capabilities) == {"other"}
    [error] = loaded.errors_of("example")
    assert "write e-mail address (found 'carla')" in str(error) or "right form (found 'carla')" in str(error)
    assert loaded.roster.person("carla") is None
    assert loaded.roster.person("nora") is not None


def test_an_owner_who_left_is_refused(folder):
    folder.edit("_people", "email: carla@shop.example, roles: []", "email: carla@shop.example, active: false")
    assert "'carla' is not active" in folder.error()


def test_an_unknown_role_of_a_person(folder):
    folder.edit(
        "_people", "email: ruth@shop.example, roles: [risk_owner]", "email: r@shop.example, roles: [risk]"
    )
    assert "unknown role (found 'risk')" in folder.error()


def test_two_people_cannot_share_an_account(folder):
    folder.edit("_people", "ruth@shop.example,", "ruth@shop.example, airflow: [nora],")
    assert "'nora' is nora's account already" in folder.error()
    assert folder.load().roster.by_airflow_user(AirflowUser("nora")).id == "nora"


def test_an_agent_without_an_owner(folder):
    folder.edit("example", "segments:", "agents: [ranker]\nsegments:")
    folder.edit("_people", "ranker: {owner: timo", "ranker: {owner: tim")
    assert (
        "agent 'ranker' is owned by nobody in the roster (found 'tim'); did you mean 'timo'?"
        in folder.error()
    )


def test_a_quorum_that_only_the_agents_owner_could_complete(folder):
    folder.edit("_people", "copywriter: {owner: dana", "copywriter: {owner: nora")
    folder.edit("example", "segments:", "agents: [copywriter]\napproval: {quorum: 2}\nsegments:")
    error = folder.error()
    assert "without nora, who owns the agent copywriter: 2 are needed, 1 could answer" in error
    assert "or write quorum: 1" in error


def test_a_quorum_of_the_owner_alone(folder):
    folder.edit("example", "owner: carla", "owner: priya")
    folder.edit("_people", "roles: [cx_owner, veto]", "roles: [veto]")
    assert "only the owner priya could answer, and never alone" in folder.error()


def test_a_role_that_nobody_holds(folder):
    folder.edit("_people", "roles: [cx_owner, veto]", "roles: [cx_owner]")
    folder.edit("_people", "roles: [risk_owner, veto]", "roles: [risk_owner]")
    assert "nobody active holds the role 'veto'" in folder.error()


def test_a_ladder_looser_than_the_design(folder):
    folder.edit("_ladder", "supervised: {canary: notice, ", "supervised: {canary: inform, ")
    error = folder.error()
    assert error.startswith("_ladder.yaml:6: oversight.supervised.canary: inform is looser than")
    assert error.endswith("write notice or more")
    assert folder.load().capabilities == {}


def test_a_ladder_that_shows_something_at_observe(folder):
    folder.edit("_ladder", "observe:    {canary: forbidden,", "observe:    {canary: approve,")
    assert "write forbidden" in folder.error()


def test_a_ladder_with_a_hole(folder):
    folder.edit("_ladder", "inform,    within_free_scope: inform,", "inform,")
    assert "no oversight is given for autonomous, within_free_scope; write within_free_scope: inform" in (
        folder.error()
    )


def test_a_missing_shared_file_says_what_to_create(folder):
    (folder.path / "_ladder.yaml").unlink()
    assert "_ladder.yaml:1: the file is missing; create _ladder.yaml" in folder.error()


def test_an_unknown_default_is_reported_and_breaks_nobody(folder):
    folder.edit("_defaults", "free_scope:", "free_skope: 400\nfree_scope:")
    assert (
        "_defaults.yaml:4: free_skope: unknown key 'free_skope'; did you mean 'free_scope'?" in folder.error()
    )
    assert set(folder.load().capabilities) == {"example"}


def test_a_bad_default_breaks_only_who_needs_it(folder):
    other(folder)
    folder.edit("_defaults", "minimum: 3d ", "minimum: 3x ")
    folder.edit("example", "segments:", "window: {minimum: 1d}\nsegments:")
    loaded = folder.load()
    assert set(loaded.capabilities) == {"example"}
    [error] = loaded.errors_of("other")
    assert (error.file, error.where) == ("_defaults.yaml", "window.minimum")


def test_a_missing_default_is_asked_for(folder):
    folder.edit("_defaults", "  maximum: 14d\n", "")
    assert "window: 'maximum' is missing" in folder.error()


def test_broken_defaults_are_one_error(folder):
    folder.write("_defaults", "ramp: [")
    loaded = folder.load()
    assert loaded.capabilities == {}
    assert [error.file for error in loaded.errors] == ["_defaults.yaml"]


def test_the_roster_finds_people_by_every_account(folder):
    folder.edit(
        "_people", "nora@shop.example,", "nora@shop.example, airflow: [nora, n.lindqvist], slack: U0NORA,"
    )
    roster = folder.load().roster
    assert roster.by_airflow_user(AirflowUser("n.lindqvist")).id == "nora"
    assert roster.by_slack_id("U0NORA").id == "nora"
    assert roster.by_slack_id("") is None
    assert {person.id for person in roster.holders("cx_owner")} == {"nora", "priya"}
    assert roster.agent_owner("copywriter") == "dana"
