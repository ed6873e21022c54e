# What a person does with this checkout. `make` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test check format proto docs lock bench eval chaos claude-live clean

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: ## Install what running needs
	@infra/bootstrap/packages.sh demo
	@infra/bootstrap/python.sh run

setup-dev: ## Install what developing and testing need
	@infra/bootstrap/packages.sh test
	@infra/bootstrap/python.sh dev
	@npm install --silent --no-save --no-audit --no-fund --prefix proto
	@npm ci --silent --no-audit --no-fund --prefix docs/examples/node

demo: setup ## From a sentence to a verdict on flashed virtual boards
	@infra/bootstrap/demo.sh

test: setup-dev ## Run every test
	$(PYTEST) -n 2 --dist loadgroup -rs --durations 40 --durations-min 5

check: setup-dev ## Format, lint, types, import rules, wire rules, skill sheets
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PYTHONPATH=.:proto $(BIN)/python -m controlplane.skills
	cd proto && node_modules/.bin/buf lint

format: ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: ## Generate the wire code
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iproto --python_out=proto --grpc_python_out=proto \
		--mypy_out=quiet:proto --mypy_grpc_out=quiet:proto proto/benchline/v1/*.proto
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. \
		--mypy_out=quiet:. --mypy_grpc_out=quiet:. controlplane/provisioning/provider/wire/*.proto

docs: ## Generate the pages and tables that are made from code and data
	$(BIN)/python docs/generate_api.py
	$(BIN)/python docs/generate_errors.py
	$(BIN)/python docs/generate_boards.py
	$(BIN)/python docs/generate_findings.py
	$(BIN)/python docs/generate_devices.py

lock: ## Renew the hash-locked requirements
	infra/bootstrap/lock.sh

bench: setup-dev ## Measure, and write docs/performance.md
	$(BIN)/python -m tests.bench

eval: setup-dev ## Measure the offline designer, and renew docs/designers.md
	./benchline eval tests/prompts/first_set.yaml --fresh --out $${TMPDIR:-/tmp}/benchline-eval.json --page docs/designers.md

chaos: setup-dev ## Kill the programs at random moments, at length
	BENCHLINE_CHAOS_ROUNDS=25 $(PYTEST) tests/e2e/test_chaos.py \
		tests/process/provisioning/test_local_faults.py::test_terraform_killed_at_any_moment_is_mended_by_the_next_plan

claude-live: setup-dev ## Ask the real Claude service once, for at most a dollar (needs ANTHROPIC_API_KEY)
	$(BIN)/python -m tests.claude_live

clean: ## Remove what was made here
	rm -rf .venv proto/node_modules docs/examples/node/node_modules
