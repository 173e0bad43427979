# The local run. Everything is explained in README.md and docs/OPERATIONS.md.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help env run stop status logs clean-state notebook test check bench format

PYTHON ?= python3
BIN := .venv/bin
CODE := airflow/dags api benchmarks cryptobot dashboard expectations infra spark_jobs streaming tests

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

env: ## install what is missing: uv, the locked environment
	@$(PYTHON) infra/local/bootstrap.py

run: ## start every service and run the main job; again: go on
	@$(PYTHON) infra/local/bootstrap.py --no-group notebook --inexact
	@$(BIN)/cryptobot run

stop: ## end every process of the run
	@if [ -x $(BIN)/cryptobot ]; then $(BIN)/cryptobot stop; else echo "nothing is installed, so nothing runs"; fi

status: ## each service: state, health, CPU, memory; exits 1 when one is not healthy
	@$(BIN)/cryptobot status

logs: ## follow a log: make logs SERVICE=api
	@$(BIN)/cryptobot logs $(SERVICE)

clean-state: ## stop, then remove all data of the local run
	@$(BIN)/cryptobot clean-state

notebook: env ## explore the data in JupyterLab, on loopback; it prints the address with its token
	@$(BIN)/cryptobot notebook

test: env ## all tests, on the real components
	$(BIN)/pytest -m "not slow"
	$(BIN)/pytest -m slow

check: env ## ruff, mypy, import-linter, duplicate and secret scan
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pylint $(CODE)
	git ls-files -z --cached --others --exclude-standard | xargs -0 $(BIN)/detect-secrets-hook --baseline .secrets.baseline

bench: env ## the benchmarks: make bench [NAME=historical]
	$(BIN)/python -m benchmarks $(NAME)

format: env ## format the code, and take the outputs out of notebooks
	$(BIN)/nbstripout --keep-id notebooks/*.ipynb
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
