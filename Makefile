# make bench   compare the two newest stable TensorFlow releases: does all set-up, takes up to 10 minutes
# make check   lint, types, import walls and the fast tests, in under a minute
# make test    everything that is checked, TensorFlow included
# make test-python   what of it depends on the Python
# make speed   measure the harness itself
# make browser   install Chromium for the tests of pages (Debian, Ubuntu)
# make slurm   install Slurm, munge and shellcheck for the tests of fleets (Debian, Ubuntu)
# make setup   only make .venv
#
# PYTHON=python3.11 chooses the Python of the harness; what is compared has its own, which `--python` chooses.
# ARGS='--device cpu --python 3.11' hands options to the command behind `bench` or `speed`.

.PHONY: bench browser slurm check test test-fast test-python speed setup setup-dev lint
.DEFAULT_GOAL := bench

ARGS ?=
# The ten minutes of `make bench` begin here, before anything is set up.
SINCE := $(shell date +%s)

# Without PYTHON: what .venv was made with, else the first Python that the harness is tested under. Should there be
# none, python3 is tried, or bootstrap.py says under it what to do.
ifndef PYTHON
PYTHON := $(shell for python in .venv/bin/python python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 \
	&& { command -v $$python; exit; }; done; echo python3)
endif

fast_tests = .venv/bin/pytest -q -n auto --dist loadfile -m "not tensorflow and not slow"
slow_tests = .venv/bin/pytest -q -m "tensorflow or slow"

define bootstrap
@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here: install Python 3.11 or later and repeat." >&2; exit 3; }
@$(PYTHON) harness/bootstrap.py $(1)
endef

setup:
	$(call bootstrap,run)

setup-dev:
	$(call bootstrap,dev)

bench: setup
	@.venv/bin/savedmodel-bench bench --since $(SINCE) $(ARGS)

speed: setup
	@.venv/bin/python -m tests.speed $(ARGS)

browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
	command -v apt-get >/dev/null || { echo "Install Chromium with this system's package manager." >&2; exit 3; }; \
	sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); $$sudo apt-get update -qq && $$sudo apt-get install -y -qq chromium; }

slurm:
	@{ command -v sbatch && command -v munge && command -v shellcheck; } >/dev/null || { \
	command -v apt-get >/dev/null || { echo "Install Slurm, munge and shellcheck with this system's package manager." >&2; exit 3; }; \
	sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends slurm-wlm munge shellcheck; }

lint: setup-dev
	.venv/bin/ruff check --quiet
	.venv/bin/ruff format --check --quiet
	.venv/bin/mypy --no-error-summary
	.venv/bin/lint-imports --no-logo
	.venv/bin/zizmor --offline --quiet --no-progress .github/workflows

# The linters run beside the tests: two cores have room for both.
check: setup-dev
	@$(MAKE) --no-print-directory --jobs=2 PYTHON=$(PYTHON) lint test-fast

test-fast: setup-dev
	$(fast_tests)

# Real releases are measured by two tests at once: none asks how long something takes. There is one Slurm for all tests.
test: lint
	$(fast_tests)
	$(slow_tests) -n 2 --dist loadfile --ignore tests/fleet
	$(slow_tests) tests/fleet

test-python: setup-dev
	.venv/bin/pytest -q -m python
