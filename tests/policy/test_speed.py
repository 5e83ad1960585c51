"""Parsing stays fast: DAG files are parsed every few seconds."""

import subprocess
import sys
import time


def test_a_thousand_capabilities_load_in_seconds(folder):
    text = (folder.path / "example.yaml").read_text()
    for number in range(1_000):
        folder.write(f"capability_{number}", text.replace("surface: checkout", f"surface: surface_{number}"))
    started = time.process_time()
    loaded = folder.load()
    seconds = time.process_time() - started
    assert len(loaded.capabilities) == 1_001
    assert not loaded.errors
    assert seconds < 5


def test_loading_imports_nothing_heavy():
    heavy = "{'great_expectations', 'pandas', 'numpy', 'duckdb', 'sqlalchemy', 'airflow', 'altair'}"
    code = f"import sys, belay.policy.load, belay.policy.describe; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
