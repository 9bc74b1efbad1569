# `make demo` and `make test` do all set-up by themselves. `make` alone lists the targets.
#
# PYTHON=python3.12 chooses the interpreter. TORCH_INDEX=ADDRESS: where to take torch from (install.py
# says when that saves gigabytes).

PYTHON ?= python3
export TORCH_INDEX
TESTS ?= tests
DATABASES = $(patsubst tests/contracts/clients/%.txt,.sdk/databases/%/.installed,$(wildcard tests/contracts/clients/*.txt))
SDKS = $(patsubst %,.sdk/%/.installed,0.28.1 1.109.1 2.54.0 3.54.0)

help:  ## list the targets
	@awk -F ':.*## +' '/^[a-z-]+:.*## /{printf "  make %-12s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.train  ## three minutes: fine-tune a real base, ask it, embed, search
	.venv/bin/tunewright demo

test: .venv/.dev sdk  ## all tests but the slow ones
	.venv/bin/pytest -n 2 -m "not slow" $(TESTS)

test-all: .venv/.dev sdk databases .sdk/clients/.installed .sdk/langchain/.installed  ## all tests
	.venv/bin/pytest -n 2 $(TESTS)

lint: .venv/.dev  ## ruff, basedpyright, import-linter
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/basedpyright
	.venv/bin/lint-imports

sdk: $(SDKS)  ## the four generations of the official SDK that the story runs in

databases: $(DATABASES)  ## the clients of the databases that vectors can be in

axe: .sdk/axe/.installed  ## what looks at the reports' accessibility in a real browser (npm)

docs: .venv/.dev sdk  ## make docs/parameters.md anew from the code
	.venv/bin/python docs/parameters.py

conformance: .venv/.dev sdk  ## tell the stories and make docs/conformance.md anew
	WRITE_CONFORMANCE=1 .venv/bin/pytest -m "not slow" tests/test_story.py
	.venv/bin/python docs/conformance.py

databases-told: .venv/.dev databases  ## try every database and make the tables of them anew
	WRITE_CONFORMANCE=1 .venv/bin/pytest -n 2 tests/contracts/test_vector_index.py
	.venv/bin/python docs/databases.py

upstream: .venv/.dev .sdk/upstream/.installed  ## openai-python's own tests: make upstream SUITE=its checkout
	.venv/bin/python tests/conformance/upstream.py $(SUITE)

clean:  ## remove what the other targets made
	rm -rf .venv .sdk

.venv/.train .venv/.dev: .venv/.%: pyproject.toml install.py
	@$(call need_python)
	@$(PYTHON) install.py $*
	@touch $@

# Frameworks, for the slow tests. None of them needs torch here, and nothing may bring it.
.sdk/clients/.installed: tests/sdk/frameworks.txt
	@$(call need_python)
	@.sdk/clients/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/clients
	.sdk/clients/bin/python -m pip install --quiet --constraint tests/sdk/no_torch.txt --requirement $<
	.sdk/clients/bin/python -m pip install --quiet --no-deps 'llama-index-finetuning==0.4.2'
	@touch $@

# What writes the collections that tests/vectors/test_from_langchain.py copies.
.sdk/langchain/.installed: tests/sdk/langchain.txt
	@$(call need_python)
	@.sdk/langchain/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/langchain
	.sdk/langchain/bin/python -m pip install --quiet --constraint tests/sdk/no_torch.txt --requirement $<
	@touch $@

.sdk/axe/.installed:
	npm install --silent --no-audit --no-fund --prefix .sdk/axe axe-core@4.14.1
	@touch $@

.sdk/upstream/.installed:
	@$(call need_python)
	@.sdk/upstream/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/upstream
	.sdk/upstream/bin/python -m pip install --quiet 'openai==3.54.0' aiohttp pytest pytest-asyncio rich
	@touch $@

# A rival of bench/embeddings/serving.py, which wants numpy 1. torch is that of .venv.
PURELIB = -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
.sdk/infinity/.installed: bench/embeddings/infinity.txt
	@$(call need_python)
	@.sdk/infinity/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/infinity
	.sdk/infinity/bin/python -m pip install --quiet --requirement $<
	.sdk/infinity/bin/python -m pip install --quiet --no-deps 'sentence-transformers>=3.0.1,<4'
	ln -sfn "$$(.venv/bin/python $(PURELIB))"/torch* "$$(.sdk/infinity/bin/python $(PURELIB))"
	@touch $@

# Rivals of bench/embeddings/engines.py. What they lack is taken from .venv, after their own: torch.
.sdk/backends/.installed: bench/embeddings/backends.txt
	@$(call need_python)
	@.sdk/backends/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/backends
	.sdk/backends/bin/python -m pip install --quiet --no-deps --requirement $<
	$(call beside,backends)
	@touch $@

.sdk/sentences/.installed:
	@$(call need_python)
	@.sdk/sentences/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/sentences
	.sdk/sentences/bin/python -m pip install --quiet --no-deps 'sentence-transformers>=6.2' \
		scikit-learn scipy joblib threadpoolctl narwhals
	$(call beside,sentences)
	@touch $@

# Rivals of bench/vectors.
.sdk/vectors/.installed .sdk/chroma/.installed: .sdk/%/.installed: bench/vectors/%.txt
	@$(call need_python)
	@.sdk/$*/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/$*
	.sdk/$*/bin/python -m pip install --quiet --constraint tests/sdk/no_torch.txt --requirement $<
	@touch $@

# The rival of bench/ingestion.py, beside Chroma. torch and transformers are those of .venv.
.sdk/chroma/.langchain: .sdk/chroma/.installed
	.sdk/chroma/bin/python -m pip install --quiet --constraint tests/sdk/no_torch.txt \
		langchain-chroma==1.1.0 langchain-text-splitters==1.1.3
	.sdk/chroma/bin/python -m pip install --quiet --no-deps langchain-huggingface==1.2.3 \
		'sentence-transformers>=6.2' scikit-learn scipy joblib threadpoolctl narwhals
	@touch $@

# Rivals of bench/connectors.
.sdk/connectors-%/.installed: bench/connectors/%.txt
	@$(call need_python)
	@.sdk/connectors-$*/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/connectors-$*
	.sdk/connectors-$*/bin/python -m pip install --quiet --constraint tests/sdk/no_torch.txt --requirement $<
	@touch $@

# Each in a folder of its own, behind .venv on the path: their dependencies exclude one another's.
.sdk/databases/%/.installed: tests/contracts/clients/%.txt .venv/.dev
	.venv/bin/python -m pip install --quiet --upgrade --target .sdk/databases/$* \
		--constraint tests/sdk/no_torch.txt --requirement $<
	@touch $@

# The name of the folder is the version.
.sdk/%/.installed:
	@$(call need_python)
	@.sdk/$*/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .sdk/$*
	.sdk/$*/bin/python -m pip install --quiet 'openai==$*' numpy
	@touch $@

define beside
.venv/bin/python $(PURELIB) > "$$(.sdk/$(1)/bin/python $(PURELIB))/beside.pth"
endef

define need_python
$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "Tunewright needs Python 3.11 or newer with its venv module; '$(PYTHON)' is not that." \
	"Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
endef

.PHONY: help demo test test-all lint sdk databases docs conformance databases-told upstream clean
