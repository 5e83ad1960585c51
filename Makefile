# Belay: what to type. `make` alone prints the list.
#
# Everything is installed into .venv from the locks, hash by hash; nothing goes anywhere else.
# PYTHON=...  the interpreter for .venv (default: the first of 3.11, 3.12, 3.13 that is found)
# ASK=1       `make demo` waits for your approval instead of casting it as the demo's approver

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo up down test long check house venv lock mutate nightly secrets clean

PY := .venv/bin/python
LOCKS := requirements.txt requirements-dev.txt requirements-demo.txt
# Named after what is locked: a second run is instant, a changed lock installs again.
STAMP := .venv/.installed-$(shell cat $(LOCKS) pyproject.toml | cksum | cut -d' ' -f1)

help:  ## print this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' | \
	  while IFS='|' read -r target text; do printf '  make %-9s %s\n' "$$target" "$$text"; done

demo: $(STAMP)  ## three optimizations through every gate in a real Airflow (ASK=1: you approve)
	@.venv/bin/belay demo $(if $(ASK),--ask)

up: $(STAMP)  ## start Airflow and Belay on loopback, on the embedded defaults
	@.venv/bin/belay up

down:  ## stop what demo and up started
	@if [ -x .venv/bin/belay ]; then .venv/bin/belay down; else echo "nothing to stop: .venv is not installed"; fi

# First what only computes, then what starts an Airflow or a browser: two lanes of tests/conftest.py.
# Both run whatever the first says; either failing fails the target; coverage is that of both.
test: $(STAMP)  ## run the tests, print the coverage
	@$(PY) -m coverage erase; failed=0; report=term; floor=; \
	if grep -rqE --include='*.py' 'mark\.(airflow|browser)\b' tests; then report=; floor=--cov-fail-under=0; fi; \
	$(PY) -m pytest -n 2 --dist loadfile -m 'not airflow and not browser and not long' --cov --cov-report=$$report $$floor || failed=$$?; \
	if [ -z "$$report" ]; then \
	  $(PY) -m pytest -n 2 --dist loadscope --durations=10 -m '(airflow or browser) and not long' --cov --cov-append --cov-report=term || failed=$$?; \
	fi; \
	exit $$failed

long: $(STAMP)  ## what CI runs after `make test`: faults injected, containment timed, quarters of autonomy
	@$(PY) -m pytest -m long

# Typed as far as [tool.mypy.overrides] asks. Not yet: the rooms' own tests, whose fixtures mostly say no types.
TYPED := tools tests/support tests/domain tests/test_house.py tests/test_docs.py

check: $(STAMP)  ## lint, format, types, the direction of imports and the rules of the house
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m mypy $(TYPED)
	.venv/bin/lint-imports
	$(PY) tools/house.py --quiet

house: $(STAMP)  ## print which room imports which, and what breaks a rule of the house
	@$(PY) tools/house.py

venv: $(STAMP)  ## make .venv from the locks, with uv when it is there, else with venv and pip
	@echo ".venv is ready: $$($(PY) --version)"

$(STAMP): $(LOCKS) pyproject.toml
	@python="$(PYTHON)"; \
	supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	for candidate in $${python:-python3.11 python3.12 python3.13 python3 python}; do \
	  if "$$candidate" -c "$$supported" 2>/dev/null; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make venv: no Python 3.11, 3.12 or 3.13 $${python:+at PYTHON=$$python}; install one, or say where it is: make venv PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	set -e; rm -f .venv/.installed-*; \
	if command -v uv >/dev/null; then \
	  echo "installing into .venv with uv and $$("$$found" --version)"; \
	  [ -x $(PY) ] && $(PY) -c "$$supported" || uv venv --quiet --clear --no-python-downloads --python "$$found" .venv; \
	  uv pip sync --quiet --python $(PY) --require-hashes $(LOCKS); \
	  uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .; \
	else \
	  echo "installing into .venv with pip and $$("$$found" --version): some minutes (seconds with uv)"; \
	  "$$found" -c 'import ensurepip' 2>/dev/null || \
	    { echo "make venv: $$found has no ensurepip; install its venv package (Debian: apt-get install python3-venv) or uv" >&2; exit 1; }; \
	  [ -x $(PY) ] && $(PY) -c "$$supported" && $(PY) -m pip --version >/dev/null 2>&1 || "$$found" -m venv --clear .venv; \
	  for lock in $(LOCKS); do $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $$lock; done; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi; \
	touch "$@"

# requirements-dev.in is held to what requirements.txt pins; obp is installed without what it depends on.
# A version that is younger than a week has not been looked at by many: `make lock` does not take it.
COMPILE = "$$uv" pip compile --quiet --exclude-newer "$$(date -u -d '7 days ago' +%F 2>/dev/null || date -u -v-7d +%F)" --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock'

lock:  ## compile requirements*.in into the locks again (UPGRADE=1: to the newest versions)
	@set -e; uv="$$(command -v uv || true)"; \
	if [ -z "$$uv" ]; then \
	  tools="$$(mktemp -d)"; trap 'rm -rf "$$tools"' EXIT; \
	  $${PYTHON:-python3} -m venv "$$tools"; "$$tools/bin/pip" install --quiet --disable-pip-version-check uv; uv="$$tools/bin/uv"; \
	fi; \
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements.in -o requirements.txt; \
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-dev.in -o requirements-dev.txt; \
	$(COMPILE) $(if $(UPGRADE),--upgrade) --no-deps requirements-demo.in -o requirements-demo.txt

mutate: $(STAMP)  ## change the rules at 600 random places: does a fast test notice each (docs/testing.md)?
	@$(PY) -m tests.mutation

nightly: $(STAMP)  ## every test with many more random cases and faults, then the benchmarks
	HYPOTHESIS_PROFILE=nightly $(MAKE) test
	HYPOTHESIS_PROFILE=nightly BELAY_FAULTS=5 $(MAKE) long
	@set -e; for file in benchmarks/*.py; do [ -e "$$file" ] || continue; echo "== $$file"; $(PY) "$$file"; done
	$(MAKE) mutate

# A file that is there is kept, so that running this twice changes no password.
secrets:  ## make the passwords and keys of docker-compose.yml in ./secrets
	@set -e; umask 077; mkdir -p secrets; cd secrets; \
	word() { head -c 48 /dev/urandom | od -An -tx1 | tr -d ' \n'; }; \
	keep() { if [ -s "$$1" ]; then echo "  kept secrets/$$1"; return 1; else echo "  made secrets/$$1"; fi; }; \
	for name in postgres_password airflow_db_password ledger_db_password api_secret_key jwt_secret; do \
	  if keep $$name; then word > $$name; fi; \
	done; \
	if keep fernet_key; then head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' > fernet_key; fi; \
	printf '%s\n' "postgres:5432:airflow:airflow:$$(cat airflow_db_password)" \
	  "postgres:5432:ledger:ledger:$$(cat ledger_db_password)" > pgpass; \
	if keep airflow_users.json; then printf '{"admin": "%s"}\n' "$$(word)" > airflow_users.json; fi; \
	cd ..; chmod 700 secrets; chmod 600 secrets/*; \
	if [ "$$(id -u)" = 0 ]; then chown -R 50000:0 secrets; uid=50000; else uid="$$(id -u)"; fi; \
	[ -e .env ] || { cp .env.example .env; echo "  made .env from .env.example"; }; \
	sed -E "s/^#? ?BELAY_UID=.*/BELAY_UID=$$uid/" .env > .env.new; mv .env.new .env; \
	echo "the containers run as user $$uid, who alone can read ./secrets; the login admin is in secrets/airflow_users.json"

clean:  ## stop Belay; remove .venv and what the tools left (keeps .belay, secrets and .env)
	@$(MAKE) --no-print-directory down
	rm -rf .venv .mutation build htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache include/belay.egg-info
	find . -name __pycache__ -type d -not -path './.belay/*' -prune -exec rm -rf {} +
