# make quickstart   the main job in miniature: train, translate and score, with a lookup and with ALONE
# make test         lint, and all tests but those of whole recipes
# make test-recipes the recipes from end to end on generated data, killed and started again: a quarter of an hour
# make benchmark    time, memory and size against a lookup; hours on two cores, and nothing else should run there
# Each sets up .venv first if it is missing. PYTHON names another interpreter (3.11 or 3.12).

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

# Build environments are pinned too: otherwise pip fetches a second PyTorch to compile fairseq with.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints.txt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: quickstart test test-recipes lint benchmark clean

quickstart: $(READY)
	recipes/quickstart/run.sh

test: lint
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadgroup

test-recipes: $(READY)
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadgroup -m recipes

lint: $(READY)
	ruff check .
	ruff format --check .
	git ls-files '*.sh' .ci/run | xargs --no-run-if-empty shellcheck --external-sources

benchmark: $(READY)
	python benchmarks/size.py
	python benchmarks/embedding.py
	python benchmarks/training_step.py
	python benchmarks/decoding.py

$(READY): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
	  { echo "Python 3.11 or 3.12 is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) work build *.egg-info
