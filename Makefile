# make run    install, then check every claim of every paper in the quick profile
# make test   install, then style, types and tests
# `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
JOBS ?= 2
SMALL_MACHINE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := $(SMALL_MACHINE) $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: exponents tables help run test test-all bench lint peer reference planned readme rivals twins repeat mutants mutmut clean clean-venv

help:
	@echo "make run         install, check every claim of every paper (quick profile), write HTML reports"
	@echo "make test        install, then style, types and tests"
	@echo "make test-all    the same with the slow tests"
	@echo "make lint        style and types only"
	@echo "make bench       measure what whp costs, beside neural-tangents and the machine's limits (whp bench; a while)"
	@echo "make peer        install neural-tangents, in an environment of its own"
	@echo "make reference   regenerate reports/reference (about three quarters of an hour on two cores)"
	@echo "make planned     set the plan of the standard run, made from a quick run alone, beside what it took"
	@echo "make exponents   exponents against alpha, proved and measured, from the committed verdicts"
	@echo "make tables      accuracies of convolutional kernels on CIFAR-10, printed and measured (a quarter of an hour)"
	@echo "make rivals      compare whp with other tools on the same simulated claims (about ten minutes)"
	@echo "make twins       run every false twin, quick and standard (the latter from the ledger, or a quarter of an hour)"
	@echo "make repeat      the quick profile 50 times with fresh seeds (about two hours; resumes)"
	@echo "make mutants     change the library on purpose, a mistake at a time, and see the tests notice"
	@echo "make clean       remove caches, ledgers and generated reports; make clean-venv: the environment too"

# The stamp is younger than what it was installed from, so this happens once. Nothing but Python and the
# package registry is needed: the build backend is in the lock, so the package itself builds offline.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into $(VENV) (once; some minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# A paper is a run of its own, with its own budget. 1 (some claim FAILs) and 7 (some claim is INCONCLUSIVE) are
# findings, not a failure of the program.
PAPERS := hu2020 arora2019 caron2023
run: $(INSTALLED)
	@code=0; $(BIN)/whp run $(PAPERS) --by-paper --profile quick --out reports/run || code=$$?; \
	case $$code in \
	  0) ;; \
	  1) echo "(whp exited with 1: some claims FAIL. This is a result; the run itself worked.)" ;; \
	  7) echo "(whp exited with 7: some claims are INCONCLUSIVE. This is a result; the run itself worked.)" ;; \
	  *) exit $$code ;; \
	esac

lint: $(INSTALLED)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

test: lint
	@$(PYTEST) -n $(JOBS)

test-all: lint
	@$(PYTEST) -n $(JOBS) -m "not gpu and not benchmark_only"

# The committed runs: each paper in the standard profile, and what is shown at its printed size. Exit codes 1 and 7
# are findings. Sizes and statistics of the experiments of caron2023 were chosen on other seeds than that of its run.
SEEDS := hu2020=0 arora2019=0 caron2023=10
REFERENCE := reports/reference
WHP_OK := { code=$$?; test $$code -eq 1 || test $$code -eq 7 || exit $$code; }
reference: $(INSTALLED)
	@for paper in $(PAPERS); do \
	  rm -rf $(REFERENCE)/$$paper; \
	  seed=$$(echo $(SEEDS) | tr ' ' '\n' | sed -n "s/^$$paper=//p"); \
	  $(BIN)/whp run $$paper --profile standard --seed $$seed --out $(REFERENCE)/$$paper || $(WHP_OK); \
	done
	@rm -rf $(REFERENCE)/fig_5
	@$(BIN)/whp run hu2020.fig_5 --profile paper --out $(REFERENCE)/fig_5 || $(WHP_OK)

# The standard run as it is planned from a quick one alone, beside what it took and found.
PLANNED := .whp/planned.sqlite
planned: $(INSTALLED)
	@$(BIN)/whp run hu2020 --profile quick --ledger $(PLANNED) --out reports/run-planned || $(WHP_OK)
	@$(BIN)/whp plan hu2020 --profile standard --no-probe --ledger $(PLANNED) --after $(REFERENCE)/hu2020 \
	  > $(REFERENCE)/planned.txt

# What the claims' own false twins say, and what chance does to the verdicts. An undecided twin exits with 7.
CALIBRATION := reports/calibration
twins: $(INSTALLED)
	@for paper in $(PAPERS); do for profile in quick standard; do \
	  $(BIN)/whp twins $$paper --profile $$profile --out $(CALIBRATION)/$$paper || $(WHP_OK); \
	done; done

repeat: $(INSTALLED)
	@for paper in $(PAPERS); do \
	  $(BIN)/whp repeat $$paper --runs 50 --profile quick --out $(CALIBRATION)/$$paper || $(WHP_OK); \
	done

mutants: $(INSTALLED)
	@$(BIN)/python tools/mutants/run.py --jobs $(JOBS)

# The same by machine, for the arithmetic of two modules.
mutmut: $(INSTALLED)
	@JOBS=$(JOBS) tools/mutants/mutmut.sh $(VENV) .venv-mutmut

# The generated parts of README.md and docs/statistics.md, from reports/.
readme: $(INSTALLED)
	@$(BIN)/python tools/update_readme.py
	@$(BIN)/python tools/update_docs.py
	@$(BIN)/python tools/update_summary.py
	@$(BIN)/python tools/exponents.py

# Table 1 of arora2019 beside what is printed; needs the images (whp data fetch cifar10).
tables: $(INSTALLED)
	@$(BIN)/python tools/tables.py

# The exponents of Theorems 3.2, 3.5 and D.1 and of Figure 1c against alpha, from the same.
exponents: $(INSTALLED)
	@$(BIN)/python tools/exponents.py

# The rivals, each at the version of tools/rivals/requirements.txt, in an environment of their own.
RIVALS := .venv-rivals
$(RIVALS)/.installed: tools/rivals/requirements.txt
	@test -x $(RIVALS)/bin/python || $(PYTHON) -m venv $(RIVALS)
	@$(RIVALS)/bin/python -m pip --disable-pip-version-check --no-input -qq install -r $<
	@touch $@

rivals: $(INSTALLED) $(RIVALS)/.installed
	@$(SMALL_MACHINE) $(BIN)/python tools/rivals/compare.py --python $(RIVALS)/bin/python

# What whp costs, beside neural-tangents in an environment of its own; alone on the machine. A number that is missed
# or was not measured is a finding.
PEER := .venv-peer
PEER_VERSIONS := src/whp/benchmarks/peer/requirements.txt
$(PEER)/.installed: $(PEER_VERSIONS)
	@test -x $(PEER)/bin/python || $(PYTHON) -m venv $(PEER)
	@$(PEER)/bin/python -m pip --disable-pip-version-check --no-input -qq install -r $<
	@touch $@

peer: $(PEER)/.installed

bench: $(INSTALLED) peer
	@$(BIN)/whp bench --peer $(PEER)/bin/python || $(WHP_OK)

clean:
	rm -rf .whp .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks build dist reports/run-*

clean-venv: clean
	rm -rf $(VENV) $(RIVALS) $(PEER)
