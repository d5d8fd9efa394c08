# Two commands for a fresh machine: `make demo` and `make test`. Everything goes into .venv.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
RUN := .venv/bin/python -m reconciler
WORKERS ?= 4

.PHONY: help demo test check format docs campaign bench clean

help:
	@echo "make demo    set up, then plan, apply and plan again on the built-in emulator (no account, no network)"
	@echo "make test    set up, then run every test"
	@echo "make check   lint, types"
	@echo "make campaign  every fault at full size, about an hour; writes the figures of docs/reliability.md"
	@echo "make bench   every path beside its floor, then a state in PostgreSQL against one in SQLite; about 45 minutes"
	@echo "make docs    make anew what the pages show: tutorial, commands, configuration, screencast"
	@echo "make clean   remove .venv and what the demo made"

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "The venv module is missing (Debian: apt install python3-venv)." >&2; exit 1; }

.venv/.installed: .venv/bin/python pyproject.toml
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.developing: .venv/.installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: .venv/.installed
	$(RUN) -C examples/quickstart plan
	$(RUN) -C examples/quickstart apply --auto-approve
	$(RUN) -C examples/quickstart output
	$(RUN) -C examples/quickstart plan

test: .venv/.developing
	.venv/bin/python -m pytest -n $(WORKERS)

check: .venv/.developing
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

format: .venv/.developing
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

docs: .venv/.developing
	.venv/bin/python -m tests.docs.commands
	.venv/bin/python -m tests.docs.configuration
	.venv/bin/python -m tests.docs.tutorial
	.venv/bin/python -m tests.docs.screencast

campaign: .venv/.developing
	.venv/bin/python -m tests.campaign --report docs/reliability.md

# Both, whatever the first one says; a goal that either misses fails the whole.
bench: .venv/.developing
	@failed=0; \
	.venv/bin/python -m tests.bench --json build/bench.json --report README.md || failed=1; \
	.venv/bin/python -m tests.bench.postgres --report docs/scale.md || failed=1; \
	exit $$failed

clean:
	rm -rf .venv examples/quickstart/.reconciler
