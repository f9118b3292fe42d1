"""Whatever is wrong with the input: exit code 2, one line that says what, where and the way out.

Each Case is a command line in the folder that ``broken.lay_out`` makes, which it leaves unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from broken import lay_out
from samples import FAST, Command, set_flags

TRAIN = ["train", "sentiment", "--model", "tiny", *set_flags(*FAST)]
OWN = ["--train", "train.csv", "--dev", "dev.csv", "--test", "test.csv"]


@dataclass(frozen=True)
class Case:
    """A command line; ``line`` is a pattern of the whole line that follows ``error: ``."""

    name: str
    arguments: Sequence[str]
    line: str


def train(*arguments: str) -> list[str]:
    """Train on own files; what comes later in ``arguments`` wins."""
    return [*TRAIN, *OWN, *arguments]


def on(file: str) -> list[str]:
    return [*TRAIN, "--train", file]


def of(recipe: str, file: str) -> list[str]:
    """Another task on a broken file."""
    return ["train", recipe, "--model", "tiny", *set_flags(*FAST), "--train", file]


def using(model: str, *arguments: str) -> list[str]:
    return ["train", "sentiment", *OWN, *set_flags(*FAST), "--model", model, *arguments]


DATA = [
    Case(
        "a missing column",
        on("columns.csv"),
        r"columns\.csv:1: no column for the label .*; name it with --set task\.label_column=NAME; "
        r"columns here: text, weight",
    ),
    Case(
        "a named column that is not there",
        train("--set", "task.text_column=txt"),
        r"train\.csv:1: no column 'txt' for the text; did you mean 'text'\?",
    ),
    Case(
        "a file that is not there", on("trian.csv"), r"trian\.csv: no such file; .*'train\.csv'\?"
    ),
    Case("a folder", on("tiny"), r"tiny: is a folder, not a file; name a file inside it"),
    Case("an empty file", on("empty.csv"), r"empty\.csv: is empty; .*column names"),
    Case("a header only", on("header.csv"), r"header\.csv: no usable rows; .* header above them"),
    Case(
        "a quote that never closes",
        on("quote.csv"),
        r"quote\.csv:3: a quote .* never closed; .*data\.quoting=.*",
    ),
    Case(
        "bytes that are not UTF-8",
        on("cp949.csv"),
        r'cp949\.csv:2: not utf-8 text .*; try --set data\.encoding="cp949"',
    ),
    Case("a NUL character", on("nul.csv"), r"nul\.csv:3: holds a NUL character; fix the line.*"),
    Case(
        "rows of different width",
        on("ragged.csv"),
        r"ragged\.csv:3: 2 fields expected \(text, label\), 3 found; put a text .* double quotes",
    ),
    Case(
        "a row without text", on("hole.csv"), r"hole\.csv:3: the text .* empty; .* --on-bad-row .*"
    ),
    Case("JSON lines that are not", on("broken.jsonl"), r"broken\.jsonl:2: not valid JSON: .*"),
    Case(
        "one class only",
        on("one.csv"),
        r"one\.csv: all rows have the same label \(good\); add rows with another label",
    ),
    Case(
        "a label that only dev has",
        train("--dev", "stars.csv"),
        r"stars\.csv:3: label 'goood' is none of .* labels; did you mean 'good'\? .*bad, good",
    ),
    Case("plain text for training", on("a.txt"), r"a\.txt: plain text has no labels; .*CSV.*"),
    Case("one row for train and dev", on("single.csv"), r".*(too few rows|same label).*; .+"),
    Case(
        "a data set of the Hub",
        [*on("hub:some/thing"), "--offline"],
        r"hub:some/thing: .*some/thing.*\(offline, or not reachable\); .+",
    ),
]

TASKS = [
    Case(
        "numbers whose meaning is not declared",
        of("nli", "pairs.csv"),
        r"pairs\.csv:3: label '0' .*; .*task\.label_names.* entailment, neutral, contradiction",
    ),
    Case(
        "a pair without its second text",
        of("nli", "alone.csv"),
        r"alone\.csv:1: no column for the pair .*; name it with --set task\.pair_column=NAME.*",
    ),
    Case("a tag without a type", of("ner", "tag.conll"), r"tag\.conll:2: 'B-' is not a tag; .+"),
    Case(
        "ragged columns", of("ner", "columns.conll"), r"columns\.conll:2: 3 columns expected.*; .+"
    ),
    Case("words without tags", of("ner", "bare.conll"), r"bare\.conll:1: no tag beside 'the'; .+"),
    Case("no entity at all", of("ner", "none.conll"), r"none\.conll: no text has an entity; .+"),
    Case(
        "an entity beyond its text",
        of("ner", "spans.jsonl"),
        r"spans\.jsonl:1: the entity \(2, 9\) does not lie in its text of 6 characters.*",
    ),
    Case(
        "an answer that is not at its offset",
        of("qa", "moved.json"),
        r"moved\.json:\d+: .*film.*; .*1 .*",
    ),
    Case(
        "an answer that is not in the passage",
        of("qa", "nowhere.json"),
        r"nowhere\.json:\d+: .*movie.*; .+",
    ),
    Case("an empty passage", of("qa", "blank.json"), r"blank\.json:\d+: .*context.*; .+"),
    Case("JSON that ends too soon", of("qa", "squad.json"), r"squad\.json:1: .*JSON.*"),
    Case("rows without a passage", of("qa", "rows.jsonl"), r"rows\.jsonl:1: .*context.*; .+"),
    Case(
        "windows that cannot advance",
        [*of("qa", "bundled:qa/en/dev.json"), "--set", "task.window_overlap=40"],
        r"task\.window_overlap 40 leaves no room in a window of \d+ pieces; --set .+",
    ),
    Case(
        "a format of another task",
        ["predict", "a.txt", "--run", "run", "--format", "conll"],
        r"format conll shows entities; this model's task is classification; .+",
    ),
    Case(
        "a question to a classifier",
        ["predict", "a.txt", "--run", "run", "--question", "why"],
        r"--question needs a qa model; this one's task is classification.*",
    ),
]

MODELS = [
    Case(
        "no model of that name",
        using("minilmm"),
        r"no model 'minilmm'; did you mean 'minilm'.*\?",
    ),
    Case(
        "a Hub id with --offline",
        using("some/bert", "--offline"),
        r"some/bert is not on this machine and --offline is set; available here: .*folder",
    ),
    Case("no folder", using("./no/model"), r"no model '\./no/model'; .*models list.*"),
    Case("no config", using("no-config"), r"no-config: no config\.json; .*folder"),
    Case("no tokenizer", using("no-words"), r"no-words: no tokenizer .*; copy tokenizer\.json.*"),
    Case(
        "pickled weights", using("pickle"), r"pickle: no \*\.safetensors weights; .*never pickles.*"
    ),
    Case("half a download", using("cut"), r"cut: cannot be loaded \(.+\)"),
    Case("a broken tokenizer", using("garbled"), r"garbled: the tokenizer cannot be loaded \(.+\)"),
    Case(
        "more tokens than positions",
        train("--set", "model.max_length=65"),
        r"model\.max_length is 65, but the encoder has 64; --set model\.max_length=64",
    ),
    Case(
        "Hangul, and a tokenizer that takes it apart",
        ["train", "sentiment", *set_flags(*FAST), "--train", "korean.csv"],
        r"11 of 11 texts are Korean, and minilm splits Hangul into jamo; .*--language ko.*",
    ),
    Case(
        "fp16 on a CPU",
        train("--set", "training.precision=fp16"),
        r"fp16 needs a CUDA device, not cpu; use bf16 or fp32",
    ),
]

RECIPES = [
    Case("a recipe typo", ["train", "sentimnt"], r"no recipe 'sentimnt'; .*'sentiment'\?"),
    Case("no recipe file", ["train", "my.toml"], r"no recipe file my\.toml; .*recipes list.*"),
    Case(
        "neither recipe nor run", ["train"], r"train needs a recipe, .*; bertft train sentiment,.*"
    ),
    Case(
        "a typo in a recipe",
        ["train", "typo.toml"],
        r"typo\.toml: unknown key 'training\.epoch'; did you mean 'epochs'\?",
    ),
    Case(
        "a recipe that is not TOML",
        ["train", "syntax.toml"],
        r"syntax\.toml:2: not valid TOML: .*; texts need quotes",
    ),
    Case(
        "a --set typo",
        train("--set", "training.epoch=1"),
        r"--set training\.epoch=1: unknown key 'training\.epoch'; did you mean 'epochs'\?",
    ),
    Case(
        "a --set without a section",
        train("--set", "epochs=1"),
        r"--set epochs=1: not of the form section\.key=value; write it as training\.epochs=1",
    ),
    Case(
        "a --set of the wrong type",
        train("--set", "training.epochs=many"),
        r"--set training\.epochs=many: .*valid integer, not \"many\"",
    ),
    Case(
        "a metric that does not exist, told before training",
        train("--set", "training.metric=acuracy"),
        r"training\.metric: no score 'acuracy'; did you mean 'accuracy'\?",
    ),
]

RUNS = [
    Case(
        "--out that exists",
        train("--out", "run"),
        r"run exists already; choose another --out, or go on with: bertft train --resume run",
    ),
    Case(
        "the same for a dry run",
        train("--out", "run", "--dry-run"),
        r"run exists already; .*--out.*",
    ),
    Case("--resume of nothing", ["train", "--resume", "no"], r"no is no run .*; give the dir.*"),
    Case("--resume of a finished run", ["train", "--resume", "run"], r"run is finished; .*anew"),
    Case(
        "--resume with other settings",
        ["train", "--resume", "run", "--seed", "7"],
        r"--resume goes on with the run's own recipe; leave out flags other than --train, .*",
    ),
    Case(
        "--resume with several seeds",
        ["train", "--resume", "run", "--seeds", "2"],
        r"--resume goes on as it was begun; leave out --seeds and --folds",
    ),
    Case("eval without runs", ["eval", "sst2"], r"no finished run of 'sst2' .*: bertft train sst2"),
    Case("eval of nothing", ["eval"], r"eval needs a run or a recipe; bertft eval sentiment,.*"),
    Case("eval of no run", ["eval", "gone"], r"no run directory gone; 'bertft runs list'.*"),
    Case("eval of an unfinished run", ["eval", "half"], r"half holds no trained model .*; .*"),
    Case(
        "eval with an unknown label",
        ["eval", "run", "--data", "stars.csv"],
        r"stars\.csv:3: label 'goood' is none of the model's 2 labels; .*'good'\? .*bad, good",
    ),
    Case(
        "eval --out that exists",
        ["eval", "run", "--data", "test.csv", "--out", "tiny"],
        r"tiny exists already; choose another --out",
    ),
    Case(
        "predict without runs",
        ["predict", "a.txt"],
        r"no finished run under runs/; make one: bertft train sentiment",
    ),
    Case(
        "an unknown --format",
        ["predict", "a.txt", "--run", "run", "--format", "jsn"],
        r"--format: no output format 'jsn'; did you mean 'jsonl'\?",
    ),
    Case(
        "an unknown suffix of --out",
        ["predict", "a.txt", "--run", "run", "--out", "answers.pdf"],
        r"--out answers\.pdf: no output format 'pdf'; choose one of: jsonl, csv, .*, xlsx",
    ),
    Case(
        "no input file",
        ["predict", "b.txt", "--run", "run"],
        r"b\.txt: no such file; did you mean 'a\.txt'\?",
    ),
    Case(
        "predict --out that exists",
        ["predict", "a.txt", "--run", "run", "--out", "test.csv"],
        r"test\.csv exists already; choose another --out, or add --overwrite",
    ),
    Case(
        "a model that was tampered with", ["eval", "odd"], r"odd/best/bertft\.json: not readable.*"
    ),
    Case(
        "comparing no runs", ["runs", "compare", "run", "no"], r"no/predictions\.jsonl: not .*; .+"
    ),
]

TINY = ["--model", "tiny"]
INSIDE = [
    Case(
        "a file that is not there, not a text",
        ["tokenize", "trian.csv", *TINY],
        r"trian\.csv: no such file; did you mean 'train\.csv'\?",
    ),
    Case(
        "no room for a text",
        ["tokenize", "a film", "--length", "2", *TINY],
        r"--length 2 has no room beside 2 special tokens; use --length 3 or more",
    ),
    Case(
        "no such layer",
        ["embed", "a film", "--layers", "0,3", *TINY],
        r"layers 0,3: no such layers; layers are 0 \(embeddings\) to 2: .+",
    ),
    Case(
        "more tokens than the encoder has positions",
        ["embed", "a film", "--max-length", "65", *TINY],
        r"--max-length is 65, but the encoder has 64; use --max-length 64",
    ),
    Case(
        "a pooler of another layer",
        ["embed", "a film", "--pooling", "cls", "--layers", "0", *TINY],
        r"the pooler reads the last layer only; use --pooling cls_before_pooler .+",
    ),
    Case(
        "words of sentence vectors",
        ["embed", "a film", "--words", *TINY],
        r"--words goes with vectors per token; add --level token",
    ),
    Case(
        "token vectors without a place for their tokens",
        ["embed", "a film", "--level", "token", "--out", "new.npy", *TINY],
        r"--out new\.npy: \.npy does not say .*; write \.npz, .+",
    ),
    Case(
        "a format that vectors do not have",
        ["embed", "a film", "--out", "new.csv", *TINY],
        r"--out new\.csv: vectors are not written as 'csv'; .+",
    ),
    Case(
        "embed --out that exists",
        ["embed", "a film", "--out", "broken.jsonl", *TINY],
        r"broken\.jsonl exists already; choose another --out, or add --overwrite",
    ),
    Case("nothing to compare", ["similar", *TINY], r"similar has nothing to compare; give .+"),
    Case(
        "a query and a threshold",
        ["similar", "a.txt", "--query", "a film", "--threshold", "0.9", *TINY],
        r"--query and --threshold ask for different things; choose one",
    ),
    Case(
        "pairs in plain text",
        ["similar", "a.txt", *TINY],
        r"a\.txt:1: no column for the pair .*; .+",
    ),
    Case(
        "a sentence without the word",
        ["context", "film", "a good film", "good food", *TINY],
        r"sentence 2 does not hold the word 'film': good food; .+",
    ),
    Case(
        "one sentence",
        ["context", "film", "a good film", *TINY],
        r"a word is compared in two sentences or more; bertft context bank .+",
    ),
    Case(
        "a picture of another kind",
        ["context", "film", "a film", "the film", "--out", "new.gif", *TINY],
        r"--out new\.gif: no picture is drawn as '\.gif'; .+",
    ),
    Case(
        "no masked-LM head",
        ["fill-mask", "a [MASK]", *TINY],
        r"tiny carries no trained masked-LM head; choose another model: bert-base-.+",
    ),
    Case(
        "no head to score with",
        ["score", "a film", *TINY],
        r"tiny carries no trained masked-LM head; .+",
    ),
    Case(
        "no next-sentence head",
        ["next-sentence", "a film", "it is good", *TINY],
        r"tiny carries no trained next-sentence head; .+bert-base-.+",
    ),
    Case(
        "three sentences",
        ["next-sentence", "a", "b", "c", *TINY],
        r"two texts are needed, not 3; bertft next-sentence .+",
    ),
]

CASES = [*DATA, *TASKS, *MODELS, *RECIPES, *RUNS, *INSIDE]


@pytest.fixture(scope="module")
def layout(tiny: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every case runs in; none of them may change it."""
    folder = tmp_path_factory.mktemp("layout")
    lay_out(folder, tiny=tiny, trained=trained)
    return folder


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_one_line_and_exit_code_2(
    case: Case, layout: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(layout)
    before = _tree(layout)
    code, out, err = command(*case.arguments)
    told = [line for line in err.splitlines() if not line.startswith("· ")]
    assert len(told) == 1, err
    assert re.fullmatch("error: " + case.line, told[0])
    assert (code, out) == (2, "")
    assert _tree(layout) == before


def test_the_names_of_the_cases_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def _tree(folder: Path) -> dict[str, int]:
    """Every file with the time of its last change."""
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}
