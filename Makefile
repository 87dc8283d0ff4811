# Two commands matter: `make report` and `make test`. Both make what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Tests and notebooks start a hundred processes, each of which would compile the sources again where this is set.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := python -m pytest -n 2 --dist loadfile --no-loadscope-reorder # tests/conftest.py puts the longest first

.DEFAULT_GOAL := help
.PHONY: help setup report notebooks book site test test-fast lint clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.report  ## Make the environment that the report needs, in .venv

$(VENV)/.report: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[report,text]'
	touch $@

$(VENV)/.test: $(VENV)/.report
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[report,text,test,cluster]'
	@# Apart from the environment: where torch-fidelity can be imported, torchmetrics wants torchvision.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps --upgrade \
		--target $(VENV)/fidelity torch-fidelity
	@# The checker of accessibility comes from npm; where that is not, its test is skipped.
	if command -v npm >/dev/null; then npm install --silent --no-save --no-package-lock axe-core@4.10.3; fi
	touch $@

report: notebooks book  ## Measure here what a machine without a GPU can, build the book, say where it is
	@echo "The report: $(CURDIR)/_build/html/index.html"

notebooks: setup  ## Execute the notebooks of profiles/cpu.yml
	vitok run --profile cpu

book: setup  ## Build the book from the records that are there
	jupyter-book build book/ -W --keep-going
	@grep -q '<title>' _build/html/index.html || { echo "the book was not built: _build/html/index.html is missing"; exit 1; }

site: book  ## A folder to publish, _build/site, from the records that are there; fails where a page or verdict is stale
	rm -rf _build/site
	cp -r _build/html _build/site
	@# What pages show of it lies under _images and _downloads; the rest may be of an earlier build.
	rm -rf _build/site/_static/generated _build/site/.buildinfo _build/site/objects.inv
	@# Without this file a static host may drop every folder whose name begins with an underscore.
	touch _build/site/.nojekyll
	vitok check --site _build/site

test: $(VENV)/.test  ## Make what the tests need and run them all
	$(PYTEST)

test-fast: $(VENV)/.test  ## The tests to run between edits: no browser, book, notebook or compiler
	$(PYTEST) -m "not slow and not browser and not book and not gpu"

lint: $(VENV)/.test  ## Check style and types, as pre-commit and CI do
	pre-commit run --all-files

clean:  ## Remove what was built; records and the environment stay
	rm -rf _build book/runs build dist .pytest_cache .mypy_cache .ruff_cache
