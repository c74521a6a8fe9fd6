# make demo   install what is needed and run the main job        make test    install and run every test
# make check  format, lint, types, architecture                  make help    all targets
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# pip would compile one module after the other. A command compiles what it imports; for the tests all are compiled, side
# by side, since what Python says of other people's modules while it compiles them would be an error there.
INSTALL := $(PIP) install --quiet --no-compile
# The genuine tritonserver's binary; its Python requirements are those of an API that is not used here.
TRITON := nvidia-pytriton==0.7.0
# Test files side by side, one more than there are processors: every other one waits for a server or for the disk.
# They begin in the order of tests/conftest.py.
SIDE_BY_SIDE := --numprocesses $(shell echo $$(($$(nproc) + 1))) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-slow check format docs sbom audit lock train clean

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

.venv/installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing mricore-node into .venv"
	@$(INSTALL) --constraint constraints.txt --editable .
	@$(INSTALL) --no-deps $(TRITON)
	@touch $@

.venv/installed-for-tests: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing mricore-node and what its tests need into .venv"
	@$(INSTALL) --constraint constraints.txt --editable '.[postgresql,models,trt,test,check,docs,deploy]'
	@$(INSTALL) --no-deps $(TRITON)
	@$(BIN)/python -W ignore -m compileall -qq -j 0 .venv/lib || true
	@touch .venv/installed $@

demo: .venv/installed ## a series through the whole node, on this machine
	@$(BIN)/mricore-node demo --once

test: .venv/installed-for-tests ## every test but those that take minutes
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-slow: .venv/installed-for-tests ## every test, those that take minutes too
	@MRICORE_SLOW_TESTS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: .venv/installed-for-tests ## format, lint, types and architecture
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/installed-for-tests ## format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

sbom: .venv/installed-for-tests ## what a release is made of, CycloneDX, in build/
	@$(BIN)/python -m tests.sbom build/sbom.cdx.json

audit: .venv/installed-for-tests ## known faults of the pinned versions; asks the vulnerability service of the package index
	@$(PIP) install --quiet 'pip-audit>=2.9'
	@$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off

train: .venv/installed-for-tests ## train, export and publish the demonstration model (half an hour)
	@$(BIN)/python -m node.mricore.training

docs: .venv/installed-for-tests ## the documentation as a site, in build/docs
	@$(BIN)/python docs/reference.py
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs

lock: .venv/installed-for-tests ## write the installed versions to constraints.txt
	@{ echo "# Versions that this release was tested with. Made by: make lock"; \
	   $(PIP) freeze --exclude-editable | grep -viE '^(torch|nvidia-pytriton)=='; echo "torch==2.13.0"; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## remove the environment, caches and demonstration data
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info var/demo
