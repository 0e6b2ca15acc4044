# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
ADDRESS ?= 127.0.0.1
PORT ?= 8501
WORKERS ?= logical

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint kernels bench docs screenshots clean chromium

help: ## Show these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tamis needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Use: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch comes first and pinned, so that no other package pulls in a larger build of it.
$(VENV)/.installed: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing pinned dependencies into $(VENV) (a few minutes the first time)"
	$(PIP) torch==2.13.0
	$(PIP) --editable .
	@touch $@

$(VENV)/.testing: $(VENV)/.installed
	$(PIP) --editable '.[test]'
	$(PIP) --no-deps litdata mosaicml-streaming $(BESIDE)
	@touch $@

# Two readers of training data ask for packages that cannot stand beside ours (torchvision of another torch, numpy below
# 2.2) and that reading does not need: the tests install them and what they do need one by one.
BESIDE := cramjam lightning-utilities obstore python-snappy tifffile zstd

setup: $(VENV)/.installed ## Make the virtual environment and install what is pinned

demo: $(VENV)/.installed ## Build the demo corpus, analyse it, open the dashboard
	$(BIN)/tamis demo --open --tier fast --host $(ADDRESS) --port $(PORT)

chromium:
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if command -v apt-get >/dev/null; then \
		as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		echo "Installing Chromium for the browser tests"; \
		install="$$as_root apt-get install -y -qq --no-install-recommends"; \
		$$as_root apt-get update -qq && { $$install chromium-headless-shell || $$install chromium; } >/dev/null; \
	else \
		echo "The browser tests need Chromium or Chrome on the PATH: install it with your system's package manager." >&2; exit 2; \
	fi

lint: $(VENV)/.testing ## Check style, boundaries and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

kernels: $(VENV)/.testing ## Compile what is compiled at first use, once for all processes that come later
	TAMIS_MODELS=$(CURDIR)/.pytest_cache/d/models $(BIN)/python -m tamis.app.jobs.warm_up

# mypy and the compiler work on one processor each, so they work beside each other.
test: $(VENV)/.testing chromium ## Check style and types, run every test, the browser ones included
	@$(MAKE) --no-print-directory --jobs 2 lint kernels
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal

bench: $(VENV)/.testing ## Measure speed and memory of every step and every query
	$(BIN)/python -m benchmarks

docs: $(VENV)/.installed ## Write the generated pages of docs/ and the README's tables
	$(BIN)/tamis docs

screenshots: $(VENV)/.testing chromium ## Make the pictures in docs/screenshots
	$(BIN)/python docs/screenshots.py

clean: ## Remove everything that the other targets made here
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -exec rm -rf {} +
