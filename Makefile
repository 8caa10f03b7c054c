# Everything a checkout can do. Needs Python >= 3.11 with venv, and make; `make test` uses Java 17+ and Maven where they are present.
# The first verb makes .venv and installs into it; later ones only when pyproject.toml changed.

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench chaos fuzz clean
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# Three at a time: of two of them, one mostly waits for a broker. WORKERS=0 for one after the other.
WORKERS ?= 3
PARALLEL := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of Pythons: each would compile every library anew where the environment forbids to keep the result.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that really runs, is new enough and can make virtual environments (a pyenv shim may exist and do none of it).
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c '$(USABLE)' >/dev/null 2>&1 && { echo $$python; break; }; done)

help:  ## what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime  ## 1,707 real earthquakes through a real workflow: no broker, no settings, under a minute
	@mkdir -p demo-output
	$(BIN)/express run examples/earthquakes/alerts.asl.json --functions examples/earthquakes/functions.py \
	    --source file:examples/earthquakes/data/events.jsonl --commit-every 50ms \
	    --sink file:demo-output/alerts.jsonl --dead-letter file:demo-output/dead-letters.jsonl
	@printf '%s\n' '' 'What next:' \
	    '  make demo                               again: it goes on after what it has done (rm -r demo-output begins anew)' \
	    '  tail -1 demo-output/dead-letters.jsonl  what became of an event that failed, and why' \
	    '  $(BIN)/express compile examples/earthquakes/alerts.asl.json --functions examples/earthquakes/functions.py --show' \
	    '                                          the Python that ran' \
	    '  README.md                               the same over Kafka'

test: $(VENV)/.dev  ## every test, with real brokers where they can run; beside it, what other Pythons could do differently
	@.ci/test $(BIN)/python $(PARALLEL) $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(VENV)/.bench  ## the benchmarks, one after the other (minutes; quiet machine)
	@for subject in bench/*.py; do echo "== $$subject"; $(BIN)/python $$subject || exit 1; done

# EVENTS, RATE and MINUTES for shorter ones; each part alone: see docs/chaos.md.
chaos: $(VENV)/.dev  ## the long fault runs: kills, three brokers, storms, soak, 50,000 seeds, planted bugs (hours; quiet machine)
	@failed=0; \
	EXPRESS_CHAOS=1 $(BIN)/python -m pytest -m "chaos or kills" --timeout=3600 $(PYTEST_ARGS) || failed=1; \
	$(BIN)/python -m tests.simulation --seeds $${SEEDS:-50000} || failed=1; \
	$(BIN)/python -m tests.chaos.cluster || failed=1; \
	$(BIN)/python -m tests.chaos.storms storm drain dead-letter soak || failed=1; \
	$(BIN)/python -m tests.chaos.mutations || failed=1; \
	exit $$failed

# PAIRS=1000000 for the long run (hours); REQUESTS to the API; SEED for other cases; SECONDS for atheris, each parser.
PAIRS ?= 100000
DEFINITIONS ?= 100000
REQUESTS ?= 20000
RECURSIONS ?= 3000
SEED ?= 0
SECONDS ?= 60
fuzz: $(VENV)/.fuzz  ## random workflows against the reference interpreter, hostile definitions, parsers (about half an hour)
	$(BIN)/python -m tests.reference --pairs $(PAIRS) --seed $(SEED)
	$(BIN)/python -m tests.fuzz --definitions $(DEFINITIONS) --seed $(SEED) --seconds $(SECONDS)
	$(BIN)/python -m tests.fuzz.recursion --expressions $(RECURSIONS) --seed $(SEED)
	EXPRESS_FUZZ_REQUESTS=$(REQUESTS) EXPRESS_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest -q tests/api/test_fuzz.py

clean:  ## remove what the other verbs made
	rm -rf .venv .venv-3.* build dist demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment is made once; an interpreter that is gone since then makes it anew.
define install
	@test -n "$(PYTHON)" || { echo "make: no usable Python found: Express needs Python >= 3.11 with venv (on Debian: python3-venv); name one with make PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -c '$(USABLE)' 2>/dev/null || { echo "Making $(VENV) with $(PYTHON)"; $(PYTHON) -m venv --clear $(VENV); }
	@.ci/install $(BIN)/python '$(1)'
endef

$(VENV)/.runtime: pyproject.toml
	$(call install,.)
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(call install,.[dev])
	@touch $(VENV)/.runtime $@

$(VENV)/.bench: pyproject.toml
	$(call install,.[dev$(comma)bench])
	@touch $(VENV)/.runtime $(VENV)/.dev $@

# Atheris where it installs; without it the rest is run, and says so.
$(VENV)/.fuzz: pyproject.toml
	$(call install,.[dev])
	@$(BIN)/python -m pip install --quiet --editable '.[dev$(comma)fuzz]' || echo "make: atheris does not install on this Python: coverage-guided fuzzing will be left out" >&2
	@touch $(VENV)/.runtime $(VENV)/.dev $@

comma := ,
