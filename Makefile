# Every target sets up what it needs: a virtual environment from the hash-locked list, then the work.
# PYTHON picks the interpreter (3.11 to 3.13). SEEDS, SEED and HOURS are how many seeds of the seeded world,
# the first of them, and how long each, SITE is one of tests/sim/sites.py instead of each seed's own. STATES is
# how many disks a power cut leaves, HISTORY shows one life's.
# JOBS is how many test files run side by side (0: one after the other, in this process).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 20
SEED ?= 1
HOURS ?= 1
STATES ?= 200000
JOBS ?= logical
READY := $(VENV)/.ready
LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
EXTRAS := --extra chain --extra http --extra pkcs11 --extra opcua --extra ble --extra can

.PHONY: demo test check lint sim mutants powercut bench vm replay schema lock contracts clean

demo: $(READY)
	$(BIN)/python hardware-in-loop/demo.py $(SECONDS)

test: $(READY)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

sim: $(READY)
	$(BIN)/python -m tests.sim.seeds --seeds $(SEEDS) --first $(SEED) --hours $(HOURS) $(if $(SITE),--site $(SITE))

mutants: $(READY)
	$(BIN)/python -m tests.mutants.run $(ARGS)

powercut: $(READY)
	$(BIN)/python -m tests.powercut --states $(STATES) --seed $(SEED) $(if $(HISTORY),--history $(HISTORY)) \
	  $(if $(MUTANT),--mutant $(MUTANT))

bench: $(READY)
	$(BIN)/python hardware-in-loop/bench/run.py $(ARGS)

vm: $(READY)
	cd hardware-in-loop && ../$(BIN)/python -m vm $(ARGS)

replay: $(READY)
	$(BIN)/python -m tests.sim.replay $(ARGS)

schema: $(READY)
	$(BIN)/python -m gateway.cli schema config
	$(BIN)/python -m gateway.cli devices > docs/devices.md

# The hash-locked lists, after a change of the dependencies (wants uv). The library for pins is the installer's alone: no
# machine of the tests has any.
lock:
	$(LOCK) $(EXTRAS) --extra gpio -o config/requirements/run.txt
	$(LOCK) $(EXTRAS) --extra demo --group dev -o config/requirements/dev.txt

contracts:
	npm ci --prefix hardware-in-loop/contracts --no-audit --no-fund
	npm run --prefix hardware-in-loop/contracts build

clean:
	rm -rf $(VENV) node_modules hardware-in-loop/contracts/node_modules

$(READY): config/requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r config/requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)
