# `make help` lists the targets. Versions are pinned in pyproject.toml ([dependency-groups]) and nowhere else.
# Set-up runs by itself, once, and again when pyproject.toml or this file has changed.

PYTHON ?= python3
ARGS ?=
VENV := .venv
DEMO_VENV := .venv-demo
WHEEL_VENV := .venv-wheel

PY := $(VENV)/bin/python
# Errors only: the steps themselves are announced by `say`, and a warning about an index helps nobody here.
PIP := -m pip install --quiet --quiet --disable-pip-version-check --no-input
# `--group` came with pip 25.1; a Python's own pip may be older.
NEW_PIP := 'pip>=25.1'
say = @printf '== %s\n'

# The framework of the demo: the word after --framework in ARGS. Otherwise JAX, the smallest download
# (measured 2026-11, Linux, CPU: JAX 135 MB, PyTorch 193 MB, TensorFlow 320 MB, requirements included).
after_framework = $(if $(1),$(if $(filter --framework,$(firstword $(1))),$(word 2,$(1)),$(call after_framework,$(wordlist 2,$(words $(1)),$(1)))))
ASKED := $(patsubst --framework=%,%,$(filter --framework=%,$(ARGS)))$(call after_framework,$(ARGS))
FRAMEWORK := $(or $(ASKED),jax)

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs bench conformance coverage wheel-test clean check-python

help:
	@printf '%s\n' \
	  'make demo         the whole story on real digits: break, fix, train, ship   (ARGS="--framework torch|tensorflow|jax ...")' \
	  'make test         lint, then every test that is not slow                    (ARGS="-k name" goes to pytest)' \
	  'make lint         ruff, mypy, import order' \
	  'make docs         the documentation, strict, into site/' \
	  'make bench        every operation against the bare one and its peers, into benchmarks/results/' \
	  'make conformance  the whole contract, dear forms included; writes docs/conformance.md' \
	  'make coverage     the tests again, with the lines they miss' \
	  'make wheel-test   build the wheel and try it in a clean environment' \
	  'make clean        remove everything that these targets made'

# --- set-up ---------------------------------------------------------------------------------------------------------

check-python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, $(PYTHON) is %d.%d: try make PYTHON=python3.12" % sys.version_info[:2])'

$(VENV)/.ready: pyproject.toml Makefile | check-python
	$(say) 'setting up $(VENV), once: about 0.9 GB of downloads, a few minutes'
	@$(PYTHON) -m venv $(VENV)
	@$(PY) $(PIP) --upgrade $(NEW_PIP)
	$(say) '1/3 PyTorch'
	@$(PY) $(PIP) --group torch
	$(say) '2/3 TensorFlow, JAX, Flax, ONNX and the tools'
	@$(PY) $(PIP) --group dev
	$(say) '3/3 straightthrough itself, editable'
	@$(PY) $(PIP) --no-deps --editable .
	@touch $@

$(DEMO_VENV)/.ready-%: pyproject.toml Makefile | check-python
	$(say) 'setting up $(DEMO_VENV) with $*, once: 150 to 400 MB of downloads, a minute or two'
	@$(PYTHON) -m venv $(DEMO_VENV)
	@$(DEMO_VENV)/bin/python $(PIP) --upgrade $(NEW_PIP)
	$(say) '1/2 $*'
	@$(DEMO_VENV)/bin/python $(PIP) --group $*
	$(say) '2/2 straightthrough and what draws the report'
	@$(DEMO_VENV)/bin/python $(PIP) --editable '.[demo]'
	@touch $@

# --- what a person asks for -----------------------------------------------------------------------------------------

ifneq ($(filter demo,$(MAKECMDGOALS)),)
ifeq ($(filter jax torch tensorflow,$(FRAMEWORK)),)
$(error make demo: --framework must be jax, torch or tensorflow, got '$(FRAMEWORK)')
endif
endif

demo: $(DEMO_VENV)/.ready-$(FRAMEWORK)
	@$(DEMO_VENV)/bin/ste demo $(if $(ASKED),,--framework $(FRAMEWORK)) $(ARGS)

test: lint
	$(say) 'tests'
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -m 'not slow' $(ARGS)

lint: $(VENV)/.ready
	$(say) 'ruff'
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	$(say) 'mypy'
	@$(VENV)/bin/mypy
	$(say) 'import order'
	@$(VENV)/bin/lint-imports

docs: $(VENV)/.ready
	@$(VENV)/bin/mkdocs build --strict $(ARGS)

bench: $(VENV)/.ready
	@$(PY) benchmarks/operations.py $(ARGS)

conformance: $(VENV)/.ready
	@OMP_NUM_THREADS=1 $(PY) tests/conformance/page.py $(ARGS)

coverage: $(VENV)/.ready
	@$(VENV)/bin/coverage run -m pytest -m 'not slow' $(ARGS)
	@$(VENV)/bin/coverage combine
	@$(VENV)/bin/coverage report

wheel-test: $(VENV)/.ready
	$(say) 'sdist, and the wheel from it'
	@rm -rf dist $(WHEEL_VENV)
	@$(PY) -m build --outdir dist . > /dev/null
	@$(PYTHON) -m venv $(WHEEL_VENV)
	$(say) 'the bare wheel: no framework, nothing else'
	@$(WHEEL_VENV)/bin/python $(PIP) dist/*.whl
	@$(WHEEL_VENV)/bin/python -I tests/wheel_smoke.py bare
	$(say) 'with [jax,cli]'
	@wheel=$$(ls dist/*.whl) && $(WHEEL_VENV)/bin/python $(PIP) "$$wheel[jax,cli]"
	@$(WHEEL_VENV)/bin/python -I tests/wheel_smoke.py jax

clean:
	@rm -rf $(VENV) $(DEMO_VENV) $(WHEEL_VENV) .bench dist build site ste-demo .coverage .coverage.* htmlcov
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
