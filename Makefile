# `make demo` and `make test` set up everything they need; a second run sets up nothing.
VENV := .venv
READY := $(VENV)/.installed
# make test ARGS="-k cube" runs a part of the tests; ARGS="-n 0 --pdb" runs them in one process.
ARGS ?=
# At least nine of ten lines of these are reached by tests.
CORE := */napari_hsr/cube.py,*/napari_hsr/cameras/*,*/napari_hsr/colour/*,*/napari_hsr/inference/*
CORE := $(CORE),*/napari_hsr/io/*,*/napari_hsr/metrics/*,*/napari_hsr/models/*
CORE := $(CORE),*/napari_hsr/resample/*,*/napari_hsr/training/*

.PHONY: help demo test test-all lint types dead-code coverage fuzz screenshots docs clean

help:
	@echo "make demo         reconstruct, compare and look: files go to demo/"
	@echo "make test         run the tests; ARGS=\"-k cube\" runs some of them"
	@echo "make test-all     run those too that repeat a test for every network, format or point"
	@echo "make lint         check style, formatting, dead code and types"
	@echo "make types        check types: strictly in the core, as far as they go elsewhere"
	@echo "make dead-code    list what nothing uses"
	@echo "make coverage     run the tests and report which lines they reach"
	@echo "make fuzz         random input for every parser and reader; MINUTES=10, by default 1"
	@echo "make screenshots  make the pictures of the documentation again"
	@echo "make docs         build the documentation as a site in site/; a warning is an error"
	@echo "make clean        remove what these made, except $(VENV)"

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh

demo: $(READY)
	$(VENV)/bin/napari-hsr demo --output demo

# Compiled modules are kept: each process that a test starts would compile all of them again.
test test-all coverage: export PYTHONDONTWRITEBYTECODE :=

test: $(READY)
	$(VENV)/bin/python -m pytest -n auto --dist worksteal -m "not thorough" $(ARGS)

test-all: $(READY)
	$(VENV)/bin/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/vulture
	$(VENV)/bin/mypy

types: $(READY)
	$(VENV)/bin/mypy

dead-code: $(READY)
	$(VENV)/bin/vulture

coverage: $(READY)
	$(VENV)/bin/coverage erase
	$(VENV)/bin/coverage run -m pytest -n auto --dist worksteal $(ARGS)
	$(VENV)/bin/coverage combine --quiet
	$(VENV)/bin/coverage report
	$(VENV)/bin/coverage report --format total --include "$(CORE)" --fail-under 90

fuzz: $(READY)
	$(VENV)/bin/python benchmarks/fuzz.py --minutes $(or $(MINUTES),1)

# Pictures are taken on a display of known size, whatever the desk they are made at.
screenshots: $(READY)
	$(VENV)/bin/python -m napari_hsr.cli.display $(VENV)/bin/python docs/make_screenshots.py

docs: $(READY)
	$(VENV)/bin/python -m pip install -q --use-pep517 -c constraints.txt -e ".[dev,docs]"
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict

clean:
	rm -rf demo site build dist .coverage .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
