# Everything runs in .venv, which is made from nothing and left alone while nothing changed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test slow quick coverage mutation docs outputs bench gpu model fuzz crash lint format clean

demo: $(READY)  ## The whole way on synthetic recordings
	$(BIN)/ecg-rhythm demo

test: lint  ## Style, types, import contract, tests but for the slow ones; three at once, as some wait for processes
	$(BIN)/pytest -n 3 --dist worksteal

slow: $(READY)  ## The slow tests, which test leaves out: clusters, queues that are killed, long pages of the documentation
	$(BIN)/pytest -n 2 --dist worksteal -m slow

quick: lint  ## Style, types, import contract, and the tests of what changed since main
	$(BIN)/python -m scripts.quick

coverage: $(READY)  ## Branch coverage: of readers 95 %, of splits, store, metrics, calibration and runs all
	mkdir -p build/coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q tests/data/test_splits.py tests/data/test_store.py tests/evaluation tests/records tests/inference/test_archive.py tests/experiments/test_folder.py tests/experiments/test_run.py
	$(BIN)/coverage run -m pytest -q tests/training/test_trainer.py -k "more_processes or (together and CRNN)"
	$(BIN)/coverage combine -q
	$(BIN)/coverage report -m --fail-under 95 --include 'src/ecg_rhythm/records/*'
	$(BIN)/coverage report -m --fail-under 100 --include '*/data/split*.py,*/data/store.py,*/data/index.py,*/data/writing.py,*/evaluation/metrics.py,*/evaluation/calibration.py,*/experiments/folder.py,*/experiments/run.py'

mutation: $(READY)  ## Whether tests notice small changes of the code: an hour on two cores
	$(BIN)/python -m scripts.install dev,mutation
	$(BIN)/mutmut run --max-children 2
	$(BIN)/python -m scripts.mutation

docs: $(READY)  ## The documentation site, in build/docs; strict: a broken link or a failing notebook ends it
	$(BIN)/python -m scripts.site

outputs: $(READY)  ## What commands print in the documentation, updated; some minutes
	$(BIN)/python -m scripts.outputs

bench: $(READY)  ## Speed and memory against a baseline, an hour on one core; needs data/
	$(BIN)/python -m benchmarks

gpu: $(READY)  ## Checks, speed and a start of the paper's training on a GPU, ten minutes; needs data/
	$(BIN)/python -m benchmarks.gpu --to results/gpu.json

model: $(READY)  ## The networks that come with the program, trained again: three quarters of an hour on one core; needs data/
	test -d data/splits/split_100_6_14_refit || $(BIN)/ecg-rhythm split --folds 100 --refit
	$(BIN)/ecg-rhythm queue jobs/shipped.json
	$(BIN)/ecg-rhythm export logs/ResGRU/shipped/fold0 --calibrate results/default --to src/ecg_rhythm/assets/default.onnx
	$(BIN)/ecg-rhythm export logs/ResGRU/shipped/fold0 --calibrate results/default --int8 --to src/ecg_rhythm/assets/fast.onnx

fuzz: $(READY)  ## 20,000 mutated files for each reader and each file of a model, as many requests; a day on one core
	$(BIN)/python -m scripts.install dev,fuzz
	$(BIN)/python -m fuzzing.readers all
	$(BIN)/python -m fuzzing.models all
	$(BIN)/python -m fuzzing.service

crash: $(READY)  ## Every command cut off at every change on the disk, over an hour; needs cc
	$(BIN)/python -m crash

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## Put the code in shape; update the JSON Schemas and the tables of formats
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m scripts.formats
	$(BIN)/ecg-rhythm schema model > schemas/model.schema.json
	$(BIN)/ecg-rhythm schema job > schemas/job.schema.json

clean:  ## Remove the environment and all caches
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + "; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m scripts.install dev
	touch $@
