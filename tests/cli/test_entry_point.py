"""The installed program: fast to start, documented exit codes, one sentence instead of a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("belay")


def run(*arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BELAY_")}
    environment |= {"BELAY_HOME": str(home), **more}
    return subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_help_documents_the_exit_codes(tmp_path: Path) -> None:
    done = run("--help", home=tmp_path)
    assert done.returncode == 0
    assert all(f"{code} " in done.stdout for code in range(5))


def test_starting_imports_nothing_heavy() -> None:
    heavy = {
        "airflow",
        "great_expectations",
        "pandas",
        "numpy",
        "duckdb",
        "sqlalchemy",
        "altair",
        "slack_bolt",
    }
    code = f"import sys, belay.cli.app; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["show"],
        ["propose"],
        ["approve"],
        ["reject"],
        ["veto"],
        ["freeze"],
        ["unfreeze"],
        ["doctor"],
        ["demo"],
        ["up"],
        ["down"],
        ["policy", "check"],
        ["policy", "show"],
        ["policy", "adopt"],
        ["ledger", "tail"],
        ["ledger", "verify"],
        ["ledger", "export"],
        ["storefront", "run"],
    ],
    ids=" ".join,
)
def test_every_command_has_an_example(command: list[str], belay) -> None:
    done = belay(*command, "--help")
    assert done.exit_code == 0
    assert f"Example: belay {' '.join(command)}" in done.output


def test_reading_creates_nothing(tmp_path: Path) -> None:
    home = tmp_path / "nowhere"
    for arguments in (["status"], ["ledger", "export"]):
        done = run(*arguments, home=home)
        assert done.returncode == 3, done.stderr
        assert f"there is no ledger at {home}/ledger.db" in done.stderr
        assert "belay propose" in done.stderr
        assert done.stdout == ""
    assert not home.exists()


def test_an_error_is_one_sentence_and_the_traceback_is_there_for_the_asking(tmp_path: Path) -> None:
    quiet = run("status", home=tmp_path)
    loud = run("status", home=tmp_path, BELAY_DEBUG="1")
    assert quiet.stderr.count("\n") == 1
    assert quiet.stderr.startswith("belay: ")
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


def test_unknown_options_are_bad_input(tmp_path: Path) -> None:
    assert run("status", "--nonsense", home=tmp_path).returncode == 2
    assert run("propose", str(tmp_path / "missing.yaml"), home=tmp_path).returncode == 2


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{PROGRAM} --help | head -1", shell=True, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr
