# Every target that needs Python sets up .venv by itself, from requirements.lock alone.
# The first time needs a network and half a minute; after that neither.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The interpreter to build .venv with: the first of these that will do.
PYTHON ?= python3.11 python3.12 python3.13 python3.14 python3
# Processes that share the tests.
WORKERS ?= 2

# How long `make fuzz` runs, how many settings `make campaign` compares, and which.
SECONDS ?= 3600
SETTINGS ?= 1000
KILLS ?= 100
# Where `make bench` keeps its table, and with which one it is compared.
BENCH ?= bench.json
BEFORE ?= bench-before.json
SEED ?= 1

BIN := .venv/bin
PACKAGES := specs chip topologies workloads sharding compiler fabric serving experiments
# Anything that .venv depends on changes the name of the stamp: the place, because scripts
# in .venv hold it, and the files that say what is installed and how.
KEY := $(shell { pwd; cat requirements.lock pyproject.toml Makefile; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-12)
# Else every process that a test starts would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE
READY := .venv/.ready-$(KEY)
# What looks at .venv from outside has an environment of its own.
TOOLS := .venv-tools/.ready-$(shell { pwd; cat requirements-tools.lock; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-12)
COMPILE := .venv-tools/bin/uv pip compile -q --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-header
# Two makes at once: the second waits, then finds the stamp. A system without flock has no such guard.
LOCKED := $(if $(shell command -v flock),flock .venv.lock)

DEMO_OUT := demo-output
DEMO := --model llama-2-70b --chips 576 --strategy tensor=8,pipeline=72 --tokens 8 --context 4096 --seed 1

.PHONY: help demo test coverage fuzz campaign faults crashes bench bench-compare format lock sbom clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-13s %s\n' "$$name" "$$what"; done

demo: $(READY) ## simulate Llama 2 70B on 576 chips; pictures and tables go to demo-output/
	@echo "demo: groqrack simulate $(DEMO) --out $(DEMO_OUT)"
	@$(BIN)/groqrack simulate $(DEMO) --out $(DEMO_OUT)
	@$(BIN)/groqrack report $(DEMO_OUT) --out $(DEMO_OUT)/report.html
	@for picture in $(DEMO_OUT)/*.png; do if [ -e "$$picture" ]; then echo "picture: $$picture"; fi; done

test: $(READY) ## check format, lint, layers and types, then run every test (what CI runs)
	@echo "format: ruff format --check"
	@$(BIN)/ruff format --check --quiet . || { echo "run 'make format'" >&2; exit 1; }
	@echo "lint:   ruff check"
	@$(BIN)/ruff check --quiet .
	@echo "layers: lint-imports"
	@report=$$($(BIN)/lint-imports) || { echo "$$report"; exit 1; }
	@echo "types:  mypy"
	@$(BIN)/mypy --no-error-summary
	@echo "tests:  pytest"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

coverage: $(READY) ## run every test and report the lines that none of them runs
	@echo "tests:  pytest --cov"
	@$(BIN)/python -m pytest -q -n $(WORKERS) $(addprefix --cov=,$(PACKAGES)) --cov-report=term:skip-covered

fuzz: $(READY) ## give mutated inputs to the command, for SECONDS=3600; findings go to fuzz-findings/
	@echo "fuzz:   python -m tests.fuzz.campaign --seconds $(SECONDS) --seed $(SEED)"
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.fuzz.campaign --seconds $(SECONDS) --seed $(SEED)

campaign: $(READY) ## compare both engines in SETTINGS=1000 drawn settings, every number and file
	@echo "campaign: python -m tests.engines.campaign --settings $(SETTINGS) --seed $(SEED)"
	@$(BIN)/python -m tests.engines.campaign --settings $(SETTINGS) --seed $(SEED)

faults: $(READY) ## run one fault at every cable and chip of 8, 72 and 576 chips, some 20 minutes
	@$(BIN)/python -m tests.engines.single_faults --chips 8,72,576 --seed $(SEED)

crashes: $(READY) ## kill sweeps, experiments and traffic at KILLS=100 random moments, and compare what they leave
	@$(BIN)/python -m tests.fuzz.crashes --kills $(KILLS) --seed $(SEED)

bench: $(READY) ## time each step from 8 to 10,440 chips, beside raw SimPy and NumPy; kept in BENCH=bench.json
	@$(BIN)/python -m benchmarks.table --out $(BENCH)

bench-compare: $(READY) ## compare the tables BEFORE=bench-before.json and BENCH=bench.json of two commits
	@$(BIN)/python -m benchmarks.compare $(BEFORE) $(BENCH)

format: $(READY) ## put the code in its standard form, imports sorted
	@echo "format: ruff check --select I --fix; ruff format"
	@$(BIN)/ruff check --quiet --select I --fix .
	@$(BIN)/ruff format --quiet .

lock: $(READY) $(TOOLS) ## remake both lock files from what they are made of; pins stay where they can
	@echo "lock: uv pip compile"
	@work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	cp requirements.lock "$$work/pins"; \
	cp requirements-tools.lock "$$work/tools"; \
	$(COMPILE) --extra test --extra dev -o "$$work/pins" pyproject.toml; \
	$(COMPILE) -o "$$work/tools" requirements-tools.in; \
	{ echo "# What make installs, pinned for every platform. Made by 'make lock'; to take the newest"; \
	  echo "# of everything, delete the pins below first."; \
	  cat "$$work/pins"; } > "$$work/lock"; \
	{ echo "# What 'make lock' and 'make sbom' run, apart from what they look at. Made by 'make lock'."; \
	  cat "$$work/tools"; } > "$$work/tools.lock"; \
	cat "$$work/lock" > requirements.lock; \
	cat "$$work/tools.lock" > requirements-tools.lock

sbom: $(READY) $(TOOLS) ## list every installed package with its licence and what needs it, in sbom.json (CycloneDX)
	@.venv-tools/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml \
	  --output-reproducible --of JSON -o sbom.json
	@$(BIN)/python -c "$$LICENCES" sbom.json

clean: ## remove .venv, caches and everything a run left here
	@echo "clean: .venv, caches, $(DEMO_OUT), fuzz-findings, results, build, dist"
	@rm -rf .venv .venv-tools sbom.json .hypothesis .import_linter_cache .coverage .mypy_cache .pytest_cache .ruff_cache $(DEMO_OUT) fuzz-findings results build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(TOOLS): | $(READY)
	@echo "set-up: .venv-tools, from requirements-tools.lock (once)"
	@rm -rf .venv-tools
	@$(BIN)/python -m venv .venv-tools
	@PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore .venv-tools/bin/pip install -qq \
	  --only-binary :all: --require-hashes -r requirements-tools.lock
	@touch $@

# How many packages have each licence.
define LICENCES
import collections, json, sys
found = collections.Counter()
for package in json.load(open(sys.argv[1]))["components"]:
    named = [each.get("expression") or each["license"].get("id") or each["license"]["name"] for each in package.get("licenses", [])]
    found[named[0] if named else "not said: " + package["name"]] += 1
for licence, count in sorted(found.items(), key=lambda item: (-item[1], item[0])):
    print(f"{count:>4}  {licence}")
print(f"{sum(found.values()):>4}  packages; wrote {sys.argv[1]}")
endef
export LICENCES

$(READY):
	@$(LOCKED) bash -euo pipefail -c "$$SET_UP"

# The stamp is written last, so a set-up that was cut short is started afresh by the next one.
define SET_UP
[ ! -e $(READY) ] || exit 0
chosen= found=
for candidate in $(PYTHON); do
  version=$$("$$candidate" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
  if ! "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    found="$$found $$candidate ($$version)"
  elif ! "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
    found="$$found $$candidate ($$version, no venv module)"
  else
    chosen=$$candidate
    break
  fi
done
if [ -z "$$chosen" ]; then
  echo "error: need Python 3.11 or newer with its venv module; found:$${found:- none of $(PYTHON)}" >&2
  echo "name one with: make PYTHON=/path/to/python3 ..." >&2
  exit 1
fi
echo "set-up: .venv with Python $$version, from requirements.lock (once, about half a minute)"
rm -rf .venv
"$$chosen" -m venv .venv
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
$(BIN)/python -m pip install -qq --only-binary :all: --require-hashes -r requirements.lock
$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
touch $(READY)
endef
export SET_UP
