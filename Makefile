# headgate: every verb a newcomer needs. Only python3 (3.11 or newer) and make are required.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help env demo demo-year check test lint format protos pictures bench chaos soak simulate fuzz clean
help: ## List the verbs.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 11

env: $(STAMP) ## Build .venv with every pinned dependency.

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "headgate needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

demo: $(STAMP) ## Run the backfill of two business dates from end to end on this machine.
	$(BIN)/headgate demo

demo-year: $(STAMP) ## Run a year's backfill, 365 dates with three failures, and report on it; takes about 2 minutes.
	$(BIN)/headgate demo --year

test: $(STAMP) ## Run the whole test suite, on all cores or in JOBS processes; it starts what it needs.
	$(BIN)/python -m pytest -n $(or $(JOBS),auto) --no-loadscope-reorder

check: lint ## lint and the tests nearest to what changed since BASE (the main branch); leaves out slow ones and all others.
	$(BIN)/python -m tests.check

lint: $(STAMP) ## ruff, mypy --strict and the import contracts, on sources and tests.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP) ## Rewrite the sources in house style.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

protos: $(STAMP) ## Generate the code from protos/headgate/v1/*.proto.
	$(BIN)/python protos/generate.py

pictures: $(STAMP) ## Record the terminal pictures of README and docs anew, from real runs; takes about 4 minutes.
	$(BIN)/python -m docs.pictures

simulate: $(STAMP) ## Run COUNT random job histories (default 10000) against the rules, with virtual time.
	$(BIN)/python -m tests.simulator --count $(or $(COUNT),10000)

bench: $(STAMP) ## Measure against peers and the floor: QUICK=1 in 3 minutes, ONLY=P1,P2 some rows, JSON=file.
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

chaos: $(STAMP) ## Run the fault experiments, or ONLY=name one of them; figures also go to JSON=file (chaos.json).
	$(BIN)/python -m bench.chaos $(if $(ONLY),--only $(ONLY)) --json $(or $(JSON),chaos.json)

soak: $(STAMP) ## Run a steady load for MINUTES (default 2) and fail when anything only grows; FAULTS=1 breaks things meanwhile.
	$(BIN)/python -m bench.soak --minutes $(or $(MINUTES),$(if $(FAULTS),3,2)) $(if $(FAULTS),--faults) $(if $(STANDING),--standing $(STANDING)) $(if $(RATE),--rate $(RATE)) $(if $(JSON),--json $(JSON))

fuzz: $(STAMP) ## Feed odd bytes to what reads foreign bytes, for SECONDS (default 30), or to ONLY=part of a target's name.
	$(BIN)/python -m bench.fuzz --seconds $(or $(SECONDS),30) $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED))

clean: ## Remove what the other verbs built.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
