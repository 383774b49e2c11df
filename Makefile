# Every target works on a fresh Debian 12 with git, make, python3 and root, and sets itself up:
# Debian packages by apt (tools/packages.txt), a .venv, wheels by pip. Any of them can be
# interrupted and run again.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEV_STAMP := $(VENV)/installed-dev
FUZZ_STAMP := $(VENV)/installed-fuzz
SOURCES := pyproject.toml
SCHEDULES := 1000000
SOAK_SECONDS := 3600
# where PYTHONDONTWRITEBYTECODE is set, nothing else does, and every start takes 0.1 s more
COMPILE := $(BIN)/python -m compileall -q drctl

.PHONY: help install demo test test-full lint bench agree agree-meaning simulate soak fuzz clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

install: $(STAMP) ## .venv/bin/drctl, from this folder
	@echo "installed: $(BIN)/drctl"

demo: $(STAMP) ## convert a Piranha pair, then show in a kernel with IPVS what the ARP rules are for
	@sh tools/packages.sh lab
	@sh tools/demo.sh $(BIN)/drctl

test: $(DEV_STAMP) ## every suite, with the minutes each took
	@sh tools/packages.sh lab qemu test containers
	@sh tools/unpack.sh $(VENV)/debian
	@$(COMPILE)
	@$(BIN)/python tools/suites.py

test-full: $(DEV_STAMP) ## the suites that `make test` runs in a reduced form, in full
	@sh tools/packages.sh lab qemu test containers
	@sh tools/unpack.sh $(VENV)/debian
	@DRCTL_FULL=1 $(BIN)/python tools/suites.py

lint: $(DEV_STAMP) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV_STAMP) ## speed, as ratios against a peer in the same run
	@sh tools/packages.sh lab
	@$(COMPILE)
	@$(BIN)/python tools/bench.py

agree: $(DEV_STAMP) ## drctl lint against keepalived -t: a corpus, and 10,000 mutations of it
	@sh tools/packages.sh test
	@$(BIN)/python tools/agree.py --strict

agree-meaning: $(DEV_STAMP) ## drctl show against what keepalived itself dumps
	@sh tools/packages.sh lab test
	@$(BIN)/python tools/agree_meaning.py --strict

simulate: $(DEV_STAMP) ## a million random histories of the failover core (SCHEDULES=100000)
	@$(COMPILE)
	@$(BIN)/python tools/simulate.py --count $(SCHEDULES)

soak: $(DEV_STAMP) ## an hour of a pair on a busy machine: nothing moves or grows (SOAK_SECONDS=600)
	@sh tools/packages.sh lab test
	@$(COMPILE)
	@$(BIN)/python tools/soak.py $(SOAK_SECONDS)

fuzz: $(FUZZ_STAMP) ## any bytes into every part, ten minutes each (FUZZ_SECONDS=60 for one)
	@$(BIN)/python tools/fuzz.py

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@sh tools/packages.sh venv
	@rm -rf $(VENV)
	python3 -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(STAMP): $(SOURCES) | $(VENV)/pyvenv.cfg
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@$(COMPILE)
	@touch $@

$(DEV_STAMP): $(SOURCES) | $(VENV)/pyvenv.cfg
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@$(COMPILE)
	@touch $(STAMP) $@

$(FUZZ_STAMP): $(SOURCES) | $(VENV)/pyvenv.cfg
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,fuzz]'
	@touch $(STAMP) $(DEV_STAMP) $@
