# Sluice. `make` alone explains every target.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PY := .venv/bin/python

.PHONY: help
help: ## Show the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2} /^## / {printf "\n%s\n", substr($$0, 4)}' Makefile

## Use it
.PHONY: install
install: ## Lay the locked environment in .venv (brings uv and Java; does nothing when nothing changed)
	@tools/install

.PHONY: demo
demo: install ## Run the whole house end to end; DATA=DIR also runs the Flink job on that data set
	@.venv/bin/sluice demo $(if $(DATA),--data $(DATA))

.PHONY: serve
serve: install ## Run the server on what `make demo` left, if it ran; else on an empty store (SLUICE_* and SLUICE_CONFIG=FILE set it up)
	@SLUICE_CONFIG="$${SLUICE_CONFIG:-$(wildcard var/demo/sluice.yaml)}" .venv/bin/sluice serve

## Build on it
.PHONY: test
test: install ## Run the tests, file by file on WORKERS=3 processes (ARGS=... goes to pytest)
	@$(PY) -m pytest -n $(or $(WORKERS),3) --dist loadfile $(ARGS)

.PHONY: lint
lint: install ## ruff, mypy strict, import linter, buf lint, buf breaking
	@tools/lint

.PHONY: format
format: install ## Let ruff format and fix what it can
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

.PHONY: gen
gen: install ## Generate the Python stubs and descriptors from protos/
	@$(PY) tools/generate.py

.PHONY: bench
bench: install ## Run the benchmarks, ONLY=NAME one of them (ARGS: its options, as --long of flink); figures go to build/bench/NAME.json
	@tools/bench $(ONLY) $(ARGS)

.PHONY: flink-cluster
flink-cluster: install ## Start a real Flink cluster on loopback (1 JobManager, 2 TaskManagers), run the risk job there, stop it
	@.venv/bin/sluice-flink try-cluster $(ARGS)

.PHONY: flink-connectors
flink-connectors: ## Fetch Flink's jars for PostgreSQL and Kafka, and a broker for tests (needs Maven), each checked against its SHA-256
	@python3 tools/flink-connectors

.PHONY: chaos
chaos: install ## Kill and break things at length: KILLS=200 SEED=7 (build/chaos.json)
	@$(PY) -m tests.chaos.run $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

.PHONY: lock
lock: ## Refresh requirements.lock (UPGRADE=1 takes the newest versions)
	@tools/lock $(if $(UPGRADE),--upgrade)

.PHONY: contract-baseline
contract-baseline: install ## Make today's protos the contract that `make lint` holds later ones to
	@.venv/bin/buf build -o protos/contract-v1.binpb --exclude-source-info && echo "wrote protos/contract-v1.binpb"

.PHONY: clean
clean: ## Remove what was built and measured; keeps .venv and var/
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
