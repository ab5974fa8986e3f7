# `make demo` and `make test` work on a fresh Debian 12 or Raspberry Pi OS; `make venv` is what both need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Debian packages: Python's venv, the zbar library for pyzbar, and what OpenCV's wheel links to.
APT := python3-venv libzbar0 libgl1 libglib2.0-0
SHELL := /bin/sh

.PHONY: help venv demo test fuzz lint types lock lock-check bundle system-test soak clean

help:
	@echo "make demo        run a simulated gate, end to end"
	@echo "make test        run the tests"
	@echo "make fuzz        an hour of bytes that nobody meant, for badges and vault (FUZZ_S=seconds; x86-64 only)"
	@echo "make venv        what both need: system libraries, .venv, locked dependencies"
	@echo "make lint types  ruff, mypy"
	@echo "make system-test the gate on an emulated machine with real parts (root; 10 minutes);  make soak  the same for longer"
	@echo "make bundle      dist/edgegate-VERSION.tar: installs a gate without internet, x86-64 and aarch64"
	@echo "make lock        write requirements.lock anew;  make lock-check  check it, with wheels for aarch64"

venv: $(VENV)/ready

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.12"; exit 1; }
	@missing=""; \
	ldconfig=$$(PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null); \
	for lib in libzbar.so.0 libGL.so.1 libglib-2.0.so.0; do echo "$$ldconfig" | grep -q "$$lib" || missing="$$missing $$lib"; done; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -y -q --no-install-recommends $(APT); \
	  elif sudo -n true 2>/dev/null; then sudo apt-get update -q && sudo apt-get install -y -q --no-install-recommends $(APT); \
	  else echo "Missing:$$missing. Run this, then try again:"; echo "  sudo apt-get install $(APT)"; exit 1; fi; \
	fi
	$(PYTHON) -m venv $(VENV)
	@# uv comes first, at its locked version and hash, and installs the rest in seconds.
	$(BIN)/python -c 'import re; print(re.search(r"^uv==.*?(?=^\S)", open("requirements.lock").read(), re.M | re.S).group())' > $(VENV)/uv.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: venv
	$(BIN)/edgegate demo

test: venv
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

# An hour, or so many seconds, shared by the targets.
FUZZ_S ?= 3600
fuzz: venv
	@set -e; for target in credential rows pages; do \
	  $(BIN)/python -m tests.fuzz $$target --seconds $$(($(FUZZ_S) / 3)); \
	done

# Needs root, and installs the Debian packages it is missing.
system-test: venv
	tests/system/run

soak: venv
	EDGEGATE_KILLS=1000 $(BIN)/pytest -s tests/test_kill_loop.py
	tests/system/run soak

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy

lock: venv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --all-extras --generate-hashes --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock
	$(BIN)/python -m edgegate.deploy.bundle --lock

lock-check: venv
	.ci/lock-check

bundle: venv
	$(BIN)/python -m edgegate.deploy.bundle

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache
