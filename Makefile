# vidassets: `make run` does the main job, `make test` passes the tests, `make help` lists the rest.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
SPEECH ?= .venv-speech
KIND ?= clip
VIDEOS ?=
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS)
# Exit code 1 of `add` means that some files were refused; the others are processed.
ADD := $(BIN)/vidassets add

.DEFAULT_GOAL := help
.PHONY: help run ui doctor test check speech test-speech torture lint lint-types lint-rest format samples benchmarks clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

run: $(VENV)/.run ## run all assets of the samples, or of VIDEOS=path [KIND=clip|episode|build]
ifeq ($(VIDEOS),)
	@$(ADD) samples/episodes --kind episode || [ $$? -eq 1 ]
	@$(ADD) samples/clips --kind clip || [ $$? -eq 1 ]
	@$(ADD) samples/builds --kind build || [ $$? -eq 1 ]
else
	@$(ADD) "$(VIDEOS)" --kind $(KIND) || [ $$? -eq 1 ]
endif
	@$(BIN)/vidassets run

ui: $(VENV)/.run ## open the Dagster UI on http://localhost:3000
	@$(BIN)/vidassets ui

doctor: $(VENV)/.run ## check that this machine can run the profile
	@$(BIN)/vidassets doctor

test: lint ## what CI runs: lint, types, layers, all tests; WORKERS=2 processes
	@$(PYTEST)

check: lint ## before every commit: lint, types, layers, tests without Dagster runs or processes
	@$(PYTEST) -m "not runs"

speech: $(SPEECH)/.made ## create the environment of the profile gpu-speech: WhisperX and pyannote, about 8 GB

test-speech: $(VENV)/.test $(SPEECH)/.made ## test WhisperX and pyannote on tiny checkpoints; takes minutes
	@VIDASSETS_SPEECH_PYTHON=$(abspath $(SPEECH))/bin/python $(BIN)/python -m pytest vidassets_tests/speech_production

torture: $(VENV)/.test ## kill, crowd and attack it on this machine, for minutes; print what was lost
	@$(BIN)/python -m vidassets_tests.torture

lint: $(VENV)/.test ## ruff, plain words, pyright, import-linter, deptry
	@$(MAKE) --no-print-directory --jobs 2 lint-types lint-rest

lint-types:
	@$(BIN)/pyright --pythonpath $(BIN)/python

lint-rest:
	@$(BIN)/ruff check .
	@$(BIN)/python tools/plain_words.py
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/deptry .

format: $(VENV)/.test ## format, and fix what ruff can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

samples: $(VENV)/.test ## regenerate the sample videos (needs flite and espeak-ng)
	@$(PIP) -r requirements/samples.txt
	@$(BIN)/python samples/make_samples.py

benchmarks: $(VENV)/.test ## run every benchmark that needs no GPU; takes a while
	@for script in $(filter-out %/speech_production.py,$(wildcard benchmarks/[a-z]*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## remove the virtual environment and caches; artifacts and the instance stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
		|| { echo "Python 3.11 or 3.12 is needed; got $$($(PYTHON) --version). Set PYTHON=path."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip  # the pip of Python 3.11 takes minutes to resolve what a newer one resolves in seconds

$(VENV)/.run: pyproject.toml requirements/embedded.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV); a few minutes the first time."
	@$(PIP) --editable '.[embedded,s3]'
	@$(PIP) --no-deps --require-hashes --requirement requirements/embedded.txt
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@$(PIP) --editable '.[dev]'
	@touch $@

$(SPEECH)/.made: requirements/speech.txt
	@$(PYTHON) -m venv $(SPEECH)
	@echo "Installing into $(SPEECH), about 8 GB; takes a few minutes."
	@$(SPEECH)/bin/python -m pip --disable-pip-version-check install --quiet --upgrade pip
	@$(SPEECH)/bin/python -m pip --disable-pip-version-check install --quiet --requirement requirements/speech.txt
	@touch $@
