# `make` sets up what is missing and says what there is. Settings: see the README.
# The distribution's Python comes first: it is built with profile-guided optimisation (docs/decisions/0005).
PYTHON ?= $(or $(shell for name in /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.14; do \
	$$name -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; \
	done),python3)
BIN := .venv/bin
LOCK := requirements/dev.lock
READY := .venv/.ready-$(firstword $(shell cksum $(LOCK)))
PACKAGES := $(wildcard contracts shared services deploy notify)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.PHONY: all help setup demo up down ps servers test chromium lint format types imports tests bench contracts lock clean

all: setup help

help: ## this list
	@echo 'make TARGET, where TARGET is one of'
	@sed -n 's/^\([a-z%-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-12s %s\n", $$1, $$2 }'

setup: $(READY) ## install everything that is missing into .venv

$(READY):
	@command -v $(PYTHON) >/dev/null || { echo 'Python 3.11 or newer is needed, and there is no $(PYTHON) on the PATH.' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; $(PYTHON) is " + \
		sys.version.split()[0] + ". Name a newer one: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'The venv module of $(PYTHON) is missing (Debian, Ubuntu: apt install python3-venv).' >&2; exit 1; }
	@echo 'installing the locked packages into .venv'
	@$(BIN)/python -c '' 2>/dev/null || rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -f .venv/.ready-*
	@touch $@

demo: $(READY) ## start the fleet and run two campaigns (ONCE=1 ends after the accounting; SIZE=, SEED=)
	@ONCE='$(ONCE)' SIZE='$(SIZE)' SEED='$(SEED)' $(BIN)/python -m deploy.demo

up: $(READY) ## start the fleet in the foreground (GATEWAY_PORT=8080)
	@$(BIN)/python -m deploy.local up

down: $(READY) ## stop the fleet and leave nothing running
	@$(BIN)/python -m deploy.local down

ps: $(READY) ## list the processes of the fleet
	@$(BIN)/python -m deploy.local ps

servers: $(READY) ## start only Kafka and PostgreSQL in the foreground
	@$(BIN)/python -m deploy.local servers

test: lint tests ## everything that must hold before a change is accepted

tests: $(READY) chromium ## the tests alone, two files at a time (TESTS=tests/shared picks some)
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --durations=15 $(TESTS)

chromium: ## install the browser that tests the pages, where it is missing
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo 'installing Chromium by apt-get' && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		{ echo 'Chromium is needed to test the pages, and only root can install it (Debian, Ubuntu: apt install chromium).' >&2; \
		exit 1; }

lint: format types imports ## style, types and the rules for imports

format: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo 'run: $(BIN)/ruff format .' >&2; exit 1; }

types: $(READY)
	@$(BIN)/mypy $(addprefix -p ,$(PACKAGES))

imports: $(READY)
	@$(BIN)/lint-imports --no-logo

bench: $(READY) ## the benchmark, with a table of results
	@SIZE='$(SIZE)' SEED='$(SEED)' $(BIN)/python -m tests.bench

prove-%: $(READY) ## a long proof of one claim, such as prove-crashes (SIZE=, SEED=)
	@SIZE='$(SIZE)' SEED='$(SEED)' $(BIN)/python -m tests.proofs.$*

contracts: $(READY) ## write the documents that are generated from contracts/
	@$(BIN)/python -m contracts.generate
	@$(BIN)/python -m deploy.openapi
	@$(BIN)/python -m deploy.typescript

lock: $(READY) ## choose newer packages and write the lock files
	@$(PYTHON) -m venv .local/locking
	@.local/locking/bin/python -m pip install --quiet --disable-pip-version-check uv
	@for name in fleet dev; do .local/locking/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header requirements/$$name.in -o requirements/$$name.lock; done

clean: down ## remove the environment and all local state
	@rm -rf .venv .local
