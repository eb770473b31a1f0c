# `make help` lists the targets. Only Python 3.10 or newer and a C library are needed beforehand.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet
INSTALL = $(PIP) --use-pep517 --editable

# Where it is set, each of the many processes that the tests start would compile all of it anew.
export PYTHONDONTWRITEBYTECODE =

# Stamps: one per set of extras, renewed when the requirements in setup.cfg change.
CLI = $(VENV)/.installed-cli
DEV = $(VENV)/.installed-dev
BENCH = $(VENV)/.installed-bench
HOSTS = $(VENV)/.installed-hosts
DOCS = $(VENV)/.installed-docs

# The servers that `make test-hosts` tries; uwsgi is compiled, and is left out where that fails.
SERVERS = celery gevent gunicorn

# Beside a checkout in the project's own CI; anywhere else KUBEBUILDER_ASSETS or KUBECONFIG says it.
ASSETS = ../shared/envtest/assets
WITH_ASSETS = if [ -z "$$KUBEBUILDER_ASSETS" ] && [ -x $(ASSETS) ]; then \
	KUBEBUILDER_ASSETS=$$($(ASSETS)) && export KUBEBUILDER_ASSETS || exit 1; fi

# What `make history`, `make chaos`, `make week` and `make fuzz` take: `make history EXAMPLES=50000`.
EXAMPLES ?= 2000
MINUTES ?= 3
# 0 is without gunicorn: `make chaos MINUTES=60 PODS=20000`.
PODS ?= 0
ROUNDS ?= 10000
SECONDS ?= 180

# What has to do with JSON: all that reads answers or keeps objects.
JSON_TESTS = tests/ground tests/wire tests/watcher tests/store tests/reflector

.PHONY: help demo matrix test test-slow test-hosts test-stdlib lint types examples e2e history chaos \
	week fuzz bench docs clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	|| { echo "Python 3.10 or newer is needed, and '$(PYTHON)' is not: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "'$(PYTHON)' cannot make a virtual environment (no venv or ensurepip):" \
	"install its venv package (python3-venv on Debian), or make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) 'pip>=21.3'

$(CLI): $(BIN)/python setup.cfg setup.py
	$(INSTALL) '.[cli]'
	@touch $@

$(DEV): $(BIN)/python setup.cfg setup.py
	$(INSTALL) '.[dev]'
	@touch $(CLI) $@

$(BENCH): $(DEV)
	$(INSTALL) '.[dev,bench]'
	@touch $@

$(HOSTS): $(DEV)
	$(INSTALL) '.[dev,django,flask,metrics]' $(SERVERS)
	$(PIP) uwsgi || echo "uwsgi could not be built; its tests will be skipped" >&2
	@touch $@

$(DOCS): $(BIN)/python setup.cfg setup.py
	$(INSTALL) '.[docs]'
	@touch $@

demo: $(CLI) ## watch a small living cluster for some seconds; KUBECONFIG=path shows a real one, reading only
	@[ "$(origin KUBECONFIG)" = "command line" ] || unset KUBECONFIG; \
	$(BIN)/python -m kube_reflect.cli demo

# They wait for a good part of their time, so three keep two processors busy.
test: $(DEV) ## run the tests; no cluster needed
	$(BIN)/python -m pytest -n 3 -m "not e2e and not slow" --ignore=tests/history

test-slow: $(DEV) ## run the tests that take long: faults, real time, interrupts at every place, forks
	$(BIN)/python -m pytest -n 3 -m "slow and not e2e" --ignore=tests/hosts --ignore=tests/typing

test-hosts: $(HOSTS) ## run Flask, Django, gunicorn, uWSGI, Celery with the library in them
	$(BIN)/python -m pytest -n 2 tests/contrib tests/hosts

test-stdlib: $(DEV) ## run those that have to do with JSON without the fast parser
	KUBE_REFLECT_JSON=stdlib $(BIN)/python -m pytest -n 3 -m "not e2e and not slow" $(JSON_TESTS)

matrix: $(DEV) ## run the tests with each version of the client; VERSIONS="37 35" QUICK=--quick for fewer
	$(BIN)/python -m tests.matrix $(VERSIONS) $(QUICK)

lint: $(DEV) ## flake8
	$(BIN)/python -m flake8 setup.py kube_reflect tests examples

types: $(DEV) ## mypy, strict, on the package and the examples, and what it infers for users
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest tests/typing

examples: $(DEV) ## run the examples, against the fake server and, where there is one, a real API server
	@$(WITH_ASSETS); $(BIN)/python -m pytest tests/test_examples.py tests/e2e/test_examples.py

e2e: $(DEV) ## run what needs a real API server (KUBEBUILDER_ASSETS or KUBECONFIG)
	@$(WITH_ASSETS); $(BIN)/python -m pytest -m e2e

history: $(DEV) ## play EXAMPLES random histories with faults, 2000 by default
	HISTORY_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/history -o timeout=0

chaos: $(if $(filter-out 0,$(PODS)),$(HOSTS),$(DEV)) ## stop, kill and cut off a real API server for MINUTES, then compare
	@$(WITH_ASSETS); $(BIN)/python -m tests.chaos --minutes $(MINUTES) --pods $(PODS)

week: $(DEV) ## cut off and relist for ROUNDS virtual minutes, 10000 by default, a week; nothing may grow
	WEEK_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -s tests/week

fuzz: $(DEV) ## give the readers of lines, pages and views damaged input, for SECONDS each
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

bench: $(BENCH) ## compare with the official informer, side by side
	$(BIN)/python -m tests.bench

docs: $(DOCS) ## make the manual, as HTML, in build/docs
	$(BIN)/python -m sphinx -E -W --keep-going -q -c tests/docs -d build/doctrees . build/docs

clean: ## remove what was built or installed here
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .hypothesis
	find kube_reflect tests examples -name __pycache__ -prune -exec rm -rf {} +
