"""docker-compose.yml: valid, and closed by default."""

from __future__ import annotations

import copy
import importlib.resources
import importlib.util
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

SECRET = "/run/secrets/"
PARTS = {"postgres", "init", "api-server", "scheduler", "dag-processor", "triggerer"}
ONCE = {"init"}


@pytest.fixture(scope="module")
def specification() -> Draft202012Validator:
    """The Compose specification's own schema, as the package check-jsonschema ships it."""
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    return Draft202012Validator(json.loads(vendored.read_text()))


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_follows_the_specification(compose: dict[str, Any], specification: Draft202012Validator) -> None:
    errors = [f"{error.json_path}: {error.message}" for error in specification.iter_errors(compose)]
    assert not errors


@pytest.mark.parametrize(
    ("where", "wrong"), [("healthchek", {"test": ["CMD", "true"]}), ("depends_on", 3), ("ports", "8080")]
)
def test_the_schema_notices_a_mistake(
    compose: dict[str, Any], specification: Draft202012Validator, where: str, wrong: object
) -> None:
    broken = copy.deepcopy(compose)
    broken["services"]["api-server"][where] = wrong
    assert not specification.is_valid(broken)


def test_every_part_is_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == PARTS
    assert services["triggerer"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_service_cannot_become_root(services: dict[str, dict[str, Any]], name: str) -> None:
    service = services[name]
    user, _, _ = str(service["user"]).partition(":")
    assert user.isdigit()
    assert int(user) > 0
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    # The engine refuses to copy a config's content into a root file system that is read-only.
    assert service["read_only"] is not bool(service.get("configs"))
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"} & set(service)


@pytest.mark.parametrize("name", sorted(PARTS - ONCE))
def test_a_service_that_stays_is_watched_and_started_again(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    service = services[name]
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
    assert service["restart"] == "unless-stopped"
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])


def test_init_ends_before_the_rest_begins(services: dict[str, dict[str, Any]]) -> None:
    assert services["init"]["restart"] == "no"
    script = services["init"]["command"][-1]
    assert script.index("airflow db migrate") < script.index("belay ledger upgrade")
    for name in PARTS - {"postgres", "init"}:
        waits = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert waits == {"postgres": "service_healthy", "init": "service_completed_successfully"}
    assert services["init"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_nothing_is_reachable_from_another_machine(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert compose["services"]["postgres"]["networks"] == ["data"]
    assert compose["networks"]["data"]["internal"] is True


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].partition(":")
        assert re.match(r"\d+\.\d+", tag), f"{name} runs {service['image']}, whichever that is today"


@pytest.mark.parametrize("name", sorted(PARTS))
def test_no_secret_stands_in_the_environment(services: dict[str, dict[str, Any]], name: str) -> None:
    service = services[name]
    for variable, value in service["environment"].items():
        assert not re.search(r"://[^/\s]*:[^/\s]*@", str(value)), f"{variable} holds a password"
        if not re.search(r"PASSWORD|SECRET|KEY|TOKEN|PASSFILE", variable):
            continue
        if variable.endswith("PASSWORDS_FILE"):
            continue  # Airflow writes to that one; init fills it from a secret
        assert variable.endswith(("_CMD", "_FILE", "PASSFILE")), f"{variable} holds a secret itself"
        path = str(value).removeprefix("cat ")
        assert path.startswith(SECRET), f"{variable} is not read from a secret"
        assert path.removeprefix(SECRET) in service["secrets"], f"{variable}: {name} is not given {path}"


def test_secrets_are_files_that_git_ignores(compose: dict[str, Any], root: Path) -> None:
    used = {name for service in compose["services"].values() for name in service.get("secrets", [])}
    assert used == set(compose["secrets"])
    for name, source in compose["secrets"].items():
        assert source["file"].startswith("./secrets/"), name
        ignored = subprocess.run(["git", "check-ignore", "-q", source["file"]], cwd=root, check=False)
        assert ignored.returncode == 0, f"git would take {source['file']}"


def test_volumes_networks_and_configs_are_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        named = {volume.split(":")[0] for volume in service["volumes"]}
        assert named <= set(compose["volumes"])
        assert set(service["networks"]) <= set(compose["networks"])
        assert {config["source"] for config in service.get("configs", [])} <= set(compose["configs"])


def test_every_setting_is_in_the_example_and_every_example_is_a_setting(
    root: Path, compose_text: str
) -> None:
    read = set(re.findall(r"(?<!\$)\$\{(\w+)", compose_text))
    assert read == set(re.findall(r"^(\w+)=", (root / ".env.example").read_text(), re.MULTILINE))
    bare = re.findall(r"(?<!\$)\$\{\w+\}", compose_text)
    assert not bare, "without .env these would be empty"


def test_every_airflow_variable_names_an_option_of_the_installed_airflow(
    services: dict[str, dict[str, Any]],
) -> None:
    # Read as a file: importing Airflow to ask takes seconds and writes a configuration.
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    assert spec.submodule_search_locations
    described = Path(spec.submodule_search_locations[0], "config_templates/config.yml").read_text()
    options = {
        (section, option): details
        for section, content in yaml.safe_load(described).items()
        for option, details in content["options"].items()
    }
    for variable in {v for service in services.values() for v in service["environment"]}:
        if not variable.startswith("AIRFLOW__"):
            continue
        _, section, option = variable.lower().split("__")
        if option.endswith("_cmd"):
            option = option.removesuffix("_cmd")
            assert options[section, option].get("sensitive"), f"{variable}: Airflow reads no command for it"
        assert (section, option) in options, f"{variable} sets nothing"


def test_every_belay_variable_is_one_that_belay_reads(
    services: dict[str, dict[str, Any]], root: Path
) -> None:
    settings = (root / "include/belay/settings.py").read_text()
    ours = {v for service in services.values() for v in service["environment"] if v.startswith("BELAY_")}
    assert ours
    assert {variable for variable in ours if f'"{variable}"' not in settings} == set()
