"""Parsing stays light: DAG files are parsed every few seconds. How fast: benchmarks/dag_parse.py."""

import subprocess
import sys


def test_loading_imports_nothing_heavy():
    heavy = "{'great_expectations', 'pandas', 'numpy', 'duckdb', 'sqlalchemy', 'airflow', 'altair'}"
    code = f"import sys, belay.policy.load, belay.policy.describe; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
