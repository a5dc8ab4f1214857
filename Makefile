# Everything starts here. `make test` and `make demo` set up what they need on the first run:
# Python >= 3.11, node >= 20 and npm are all that a clone asks for.

PYTHON ?= python3
TORCH ?= torch==2.13.0

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
BUNDLE := nnwidgets/static/training_monitor.js

# Two test processes on two cores: one thread each, and results that do not depend on the machine.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup build test test-fast lint test-js test-python test-browser demo bench pictures \
	format clean browser

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

# --- set-up -------------------------------------------------------------------------------------

setup: .venv/.ready .kernels/.ready build browser ## environments, front end and browser

# torch comes first and by itself, so that the build of it is the one named above. The package is
# installed editable, so that tests see the files of this clone; the bundles have their own rule.
.venv/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install "$(TORCH)"
	SKIP_JUPYTER_BUILDER=1 $(PIP) install -e ".[dev]"
	@touch $@

.kernels/.ready: scripts/kernels.py .venv/.ready
	$(BIN)/python scripts/kernels.py
	@touch $@

js/node_modules/.package-lock.json: js/package.json js/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install node 20 or newer" >&2; exit 1; }
	npm --prefix js ci
	@touch $@

build: $(BUNDLE) ## the browser bundles

$(BUNDLE): js/node_modules/.package-lock.json $(wildcard js/*.mjs) \
		$(shell find js/src -type f) $(wildcard nnwidgets/catalogue/*.json)
	npm --prefix js run build
	@touch $@

browser:
	@scripts/chromium.sh >/dev/null

# --- checks -------------------------------------------------------------------------------------

test: lint test-js test-python test-browser ## everything: lint, types, unit, notebook and browser tests

test-fast: lint test-js test-python ## the same without browser and notebooks

lint: .venv/.ready js/node_modules/.package-lock.json
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npm --prefix js run check

test-js: build
	npm --prefix js test

test-python: .venv/.ready .kernels/.ready build
	$(BIN)/pytest -n 2 --dist loadgroup -m "not browser and not notebooks"

# One at a time: JupyterLab, a kernel and a browser already fill two cores. What fails is run once more,
# alone: a machine that others use as well may stand still for longer than a test waits. Twice is a failure.
BROWSED := $(BIN)/pytest -m "browser or notebooks"

test-browser: setup
	$(BROWSED) || $(BROWSED) --last-failed --last-failed-no-failures none

# --- to look at ---------------------------------------------------------------------------------

DEMO := quickstart layer_inspector saliency_viewer decision_boundary

ifdef HEADLESS
demo: setup ## four notebooks in JupyterLab; HEADLESS=1 leaves screenshots in build/demo instead
	$(BIN)/python -m scripts.demo
else
# On copies, side by side in a workspace of their own, so that what you run, save and open stays out of
# the repository and out of your other workspaces.
demo: export JUPYTERLAB_WORKSPACES_DIR := $(CURDIR)/build/demo/workspaces
demo: .venv/.ready build
	mkdir -p build/demo
	cp $(DEMO:%=notebooks/%.ipynb) build/demo/
	$(BIN)/jupyter lab workspaces import scripts/demo.jupyterlab-workspace
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) \
		--LabApp.default_url=/lab/workspaces/demo build/demo
endif

bench: .venv/.ready build ## what watching costs, as ratios to the bare loop
	$(BIN)/python -m bench

pictures: setup ## the pictures of the README, from running widgets
	$(BIN)/python -m scripts.pictures

format: .venv/.ready js/node_modules/.package-lock.json ## lay out both languages, strip notebooks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npm --prefix js run format
	$(BIN)/python scripts/strip_notebooks.py

clean: ## remove what was built; the environments stay
	rm -rf build dist nnwidgets/static js/demo/dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
