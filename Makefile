# Each command sets up what it needs first; nothing has to be activated or exported by hand.

PYTHON ?= python3
BIN := .venv/bin
BUILD := noisykernels/_build.py
CSRC := $(shell find csrc -name '*.h' -o -name '*.cpp' -o -name '*.cu')

# As in an activated environment: the build finds ninja.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup demo test lint bench bench-compare bench-pages cuda-build gpu clean
.DELETE_ON_ERROR:

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

setup: $(BUILD) ## create .venv with the pinned requirements and build the extension

# torch first and alone, or a requirement that wants it could pull another build of it.
.venv/requirements: requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install $$(grep '^torch==' $<)
	$(BIN)/pip install -r $<
	cp $< $@

# setup.py writes $(BUILD) last; without a compiler it builds nothing and says why there.
$(BUILD): .venv/requirements $(CSRC) setup.py pyproject.toml
	$(BIN)/pip install --no-build-isolation --no-deps -e .
	@sed -n 's/^REASON = .\(.\+\).$$/WARNING: no compiled kernels, using the reference: \1/p' $@

demo: setup ## train with 60 % wrong labels: DATA=digits|cifar10 ROOT=<folder of the data> WD=<weight decay>
	$(BIN)/python -m bench.demo $(if $(DATA),--data $(DATA)) $(if $(ROOT),--root $(ROOT)) $(if $(WD),--wd $(WD))

test: setup ## run all tests and the examples of the docstrings
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

lint: setup ## check format, style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(CSRC) tests/cuda_emulation/*

# $(call option,NAME): --name with the words of $(NAME), or nothing without them.
option = $(if $($(1)),--$(shell echo $(1) | tr A-Z a-z) "$($(1))")
CASES = $(call option,LOSSES) $(call option,SHAPES)

bench: setup ## measure what has bars (a quarter of an hour): LOSSES="gce sgce" SHAPES="128x10" THREADS=1; FULL=1 for everything (hours)
	$(BIN)/python -m pytest bench/suite -q --results bench/results $(CASES) $(call option,THREADS) \
	  $(if $(FULL),--full) --benchmark-columns=median,iqr,rounds --benchmark-sort=mean
	$(BIN)/python -m bench.bars
	$(BIN)/python -m bench.summary

bench-compare: setup ## time this checkout against BASE=<git ref>: LOSSES= SHAPES=
	$(BIN)/python -m bench.compare $(or $(BASE),$(error BASE=<git ref>)) $(CASES)

bench-pages: setup ## from the results: README.md, docs/performance.md, docs/scaling.png (measures), bench/results/history.html
	$(BIN)/python -m bench.pages README.md
	$(BIN)/python -m bench.pages docs/performance.md
	$(BIN)/python -m bench.scaling
	$(BIN)/python -m bench.history

# The wheel alone, half a gigabyte: === keeps builds for other devices out.
.venv-cuda: requirements-dev.txt
	$(PYTHON) -m venv $@
	$@/bin/pip install --no-deps $$(grep '^torch==' $< | sed 's/==/===/')
	touch $@

cuda-build: setup .venv-cuda ## compile and link the CUDA kernels with a CUDA build of torch; needs nvcc, no GPU
	$(BIN)/python tests/cuda_build.py .venv-cuda/lib/python3.*/site-packages

# Needs no other target: it takes the torch, triton and nvcc that are installed.
gpu: ## on a machine with a GPU, offline: build, test, sanitize, measure into bench/results/gpu: MINUTES=10
	$(PYTHON) -m bench.gpu_check $(call option,MINUTES)

clean: ## remove what builds and tests left, but not .venv
	rm -rf build dist *.egg-info $(BUILD) noisykernels/_C.*.so .pytest_cache .mypy_cache .ruff_cache
	find noisykernels bench tests -name __pycache__ -exec rm -rf {} +
