# Set-up is two commands: `make run` and `make test`. Each installs what it needs first.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin

# `make run REMOTE=http://host:8001/v1 MODEL=name` steers a vLLM instead of the embedded model.
ifdef REMOTE
export COSTEER_REMOTE_BASE_URL = $(REMOTE)
endif
ifdef MODEL
export COSTEER_REMOTE_MODEL = $(MODEL)
endif

.PHONY: help install run check format test test-vllm test-page test-clients clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed ## create .venv and install everything (done by run and test as well)

# torch goes first, by its pin: a looser request may fetch gigabytes of CUDA libraries.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install '$(TORCH)'
	$(BIN)/python -m pip install -e '.[dev]'
	@touch $@

run: install ## serve on 127.0.0.1:8000 with the sample profiles; REMOTE=... MODEL=... for a vLLM
	@$(BIN)/costeer profiles samples --import
	@exec $(BIN)/costeer serve

check: install ## lint, format check and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: check ## check, then all tests that need no vLLM server
	$(BIN)/pytest

test-vllm: install ## end-to-end tests against a real vLLM on the CPU, in a venv of its own
	bash tests/e2e/install-vllm.sh
	$(BIN)/pytest -m vllm tests/e2e

test-page: install ## the page in a real browser, against the real server; needs Chromium
	$(BIN)/pytest -m page tests/page

test-clients: install ## third-party clients and fuzzes of the API, in environments of their own; needs npm and curl
	bash tests/clients/install.sh
	$(BIN)/python tests/clients/run.py

clean: ## remove both virtual environments and all caches of tools
	rm -rf $(VENV) .venv-vllm .mypy_cache .ruff_cache .pytest_cache .hypothesis
