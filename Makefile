# make demo: set up, simulate a survey, find its bodies, say where the report is.
# make test: set up everything the tests need, then lint and run them all.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := requirements/constraints.txt
OUTPUT ?= demo-output

.DEFAULT_GOAL := help
PYTEST := $(BIN)/python -m pytest
# What the tests really start: servers, sandboxes, namespaces. "package:command", installed where missing.
SYSTEM := postgresql:pg_lsclusters nginx-light:nginx redis-server:redis-server runc:runc crun:crun bubblewrap:bwrap iproute2:ip openssh-server:sshd clang:clang lld:wasm-ld

.PHONY: help demo test test-docker test-faults lint unit kernels docs bench client system format constraints clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/ -/'

$(VENV)/.base: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e .
	touch $@

$(VENV)/.platform: $(VENV)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[platform]'
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev]'
	touch $@

$(VENV)/.bench: $(VENV)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[bench]'
	touch $@

demo: $(VENV)/.platform  ## start the platform, send a simulated survey through it, compare found with true
	$(BIN)/quetzal demo --output $(OUTPUT)

test: system lint unit kernels docs  ## everything but the marked GPU, Docker, benchmark, soak and fault tests

system:  ## install the servers and sandboxes that the tests use, where they are missing
	@missing=""; for pair in $(SYSTEM); do \
	  PATH="$$PATH:/usr/sbin:/sbin" command -v "$${pair#*:}" >/dev/null || missing="$$missing $${pair%%:*}"; done; \
	if [ -n "$$missing" ]; then \
	  root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$root apt-get install -y -qq --no-install-recommends $$missing; fi

test-faults: system $(VENV)/.dev  ## kill real processes under load: every job ends exactly once (under 15 minutes)
	$(PYTEST) -m faults

test-docker: system $(VENV)/.dev  ## containers for real: build, run, scale, kill, upgrade (needs root; a Docker engine is started where none runs)
	@missing=""; for pair in docker.io:dockerd docker-compose:docker-compose debootstrap:debootstrap iptables:iptables openssl:openssl busybox-static:busybox; do \
	  PATH="$$PATH:/usr/sbin:/sbin" command -v "$${pair#*:}" >/dev/null || missing="$$missing $${pair%%:*}"; done; \
	if [ -n "$$missing" ]; then \
	  root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$root apt-get install -y -qq --no-install-recommends $$missing; fi
	$(PYTEST) -m docker --durations 20

lint: $(VENV)/.dev  ## format, ruff, import contracts, docstrings, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/interrogate --quiet src
	$(BIN)/mypy

unit: $(VENV)/.dev  ## the tests, with coverage
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 25

kernels: $(VENV)/.dev  ## the kernels again with the JIT off, so that coverage sees inside them
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest -m kernels --numprocesses 2 --dist loadfile
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

docs: $(VENV)/.dev  ## the documentation, warnings as errors
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

bench: system $(VENV)/.bench  ## race the peers side by side and print the ratios
	command -v gmt >/dev/null && command -v wrk >/dev/null || (apt-get update -qq && apt-get install -y -qq gmt wrk)
	$(BIN)/python -m benchmarks

client: $(VENV)/.dev  ## write the HTTP client's types and methods anew from the gateway's description
	$(BIN)/python -c "import json, sys; from quetzalcore.gateway.app import openapi_document; json.dump(openapi_document(), sys.stdout)" \
	  | $(BIN)/python -m quetzalcore.client.generate src/quetzalcore/client
	$(BIN)/ruff format --quiet src/quetzalcore/client

format: $(VENV)/.dev  ## format and fix what can be fixed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

constraints: $(VENV)/.dev $(VENV)/.bench  ## write down what is installed as what is tested
	$(BIN)/pip list --format=freeze --exclude quetzalcore --exclude pip --exclude setuptools > $(CONSTRAINTS)

clean:  ## remove what these commands made
	rm -rf $(VENV) build dist demo-output .mypy_cache .ruff_cache .pytest_cache docs/_build
