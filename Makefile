# `make demo` and `make test` do all set-up by themselves. `make` alone lists the targets.
#
# PYTHON=python3.12 chooses the interpreter. On Linux pip fetches torch with CUDA; README.md says how
# to get the CPU build, which is several GB smaller.

PYTHON ?= python3
TESTS ?= tests
SDKS = $(patsubst %,.sdk/%/.installed,0.28.1 1.109.1 2.54.0 3.54.0)

help:  ## list the targets
	@awk -F ':.*## +' '/^[a-z-]+:.*## /{printf "  make %-12s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed  ## two minutes: fine-tune a model, ask it, embed, search
	.venv/bin/tunewright demo

test: .venv/.installed sdk  ## all tests but the slow ones
	.venv/bin/pytest -n 2 -m "not slow" $(TESTS)

test-all: .venv/.installed sdk  ## all tests
	.venv/bin/pytest -n 2 $(TESTS)

lint: .venv/.installed  ## ruff, basedpyright, import-linter
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/basedpyright
	.venv/bin/lint-imports

sdk: $(SDKS)  ## the four generations of the official SDK that the story runs in

docs: .venv/.installed sdk  ## make docs/parameters.md anew from the code
	.venv/bin/python docs/parameters.py

conformance: .venv/.installed sdk  ## tell the stories and make docs/conformance.md anew
	WRITE_CONFORMANCE=1 .venv/bin/pytest -m "not slow" tests/test_story.py
	.venv/bin/python docs/conformance.py

clean:  ## remove what the other targets made
	rm -rf .venv .sdk

.venv/.installed: pyproject.toml
	@$(call need_python)
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# The name of the folder is the version.
.sdk/%/.installed:
	@$(call need_python)
	@.sdk/$*/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/$*
	.sdk/$*/bin/python -m pip install --quiet 'openai==$*' numpy
	@touch $@

define need_python
$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "Tunewright needs Python 3.11 or newer with its venv module; '$(PYTHON)' is not that." \
	"Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
endef

.PHONY: help demo test test-all lint sdk docs conformance clean
