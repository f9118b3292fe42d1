"""Files that are made to do harm: each is refused in a line that names file and line, or is read.

Each Case is a file and what a training on it says; files of many megabytes are made when needed.
"""

from __future__ import annotations

import gzip
import os
import re
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from samples import FAST, Command, set_flags

from bertft.loaders import files

MEBI = 2**20


@dataclass(frozen=True)
class Case:
    """``make`` gives the content of the file ``name``; ``line`` is a pattern of the error."""

    id: str
    name: str
    make: Callable[[], bytes]
    line: str
    recipe: str = "sentiment"


def text(content: str) -> Callable[[], bytes]:
    return content.encode


def label(value: str) -> Callable[[], bytes]:
    return text('{"text": "a", "label": "x"}\n{"text": "b", "label": ' + value + "}\n")


def squad(content: str) -> Callable[[], bytes]:
    return text('{"data": [\n' + content + "]}")


BYTES = [
    Case("UTF-16 that is cut", "a.csv", lambda: b"\xff\xfet\0\xdc\n\0", r"1: not utf-16 text; .*"),
    Case("CP949", "a.csv", lambda: "text,label\n영화,b\n".encode("cp949"), r"2: .*cp949.*"),
    Case("bytes of no encoding", "a.csv", lambda: b"text,label\na,\xff\n", r"2: not utf-8 text.*"),
    Case(
        "surrogates in UTF-8", "a.csv", lambda: b"text,label\na,\xed\xa0\x80\n", r"2: not utf-8.*"
    ),
    Case(
        "NUL",
        "a.jsonl",
        lambda: b'{"text": "a", "label": "x"}\n\x00\n',
        r"2: holds a NUL character.*",
    ),
    Case("CR only", "a.csv", lambda: b"text,label\ra,b\rc,d\r", r"1: lines end in CR only.*"),
    Case(
        "a line without end",
        "a.csv",
        lambda: b"text,label\n" + b"x" * 17 * MEBI,
        r"2: a line of more.*",
    ),
    Case(
        "gzip cut off", "a.csv.gz", lambda: gzip.compress(b"text,label\n" * 99)[:-9], r".*cut off.*"
    ),
    Case("gzip of nothing", "a.csv.gz", lambda: gzip.compress(b""), r" is empty.*"),
    Case(
        "gzip in gzip", "a.csv.gz", lambda: gzip.compress(gzip.compress(b"text,label\n")), r"1: .*"
    ),
    Case(
        "Parquet cut off", "a.parquet", lambda: b"PAR1" + bytes(99), r" not a whole Parquet file.*"
    ),
    Case("empty Parquet", "a.parquet", lambda: b"", r" not a whole Parquet file.*"),
]

TABLES = [
    Case(
        "a quote that swallows the file",
        "a.csv",
        lambda: b'text,label\na,b\n"c,d\n' + b"some text,b\n" * 1_600_000,
        r"3: a record of more than 16 MiB; is a quote never closed\?.*",
    ),
    Case(
        "very many columns",
        "a.csv",
        lambda: b"text,label," + b",".join(b"%d" % i for i in range(300_000)) + b"\na\n",
        r"2: 300002 fields expected \(text, label, 0, .{,40}, \.\.\.\), 1 found",
    ),
    Case(
        "very many columns of one name",
        "a.csv",
        lambda: b"text,label" + b",x" * 300_000 + b"\n",
        r"1: two columns are named 'x'.*",
    ),
    Case(
        "BOM in the middle", "a.csv", text("\ufeffx,label\n\ufefftext,b\n"), r"1: no column for .*"
    ),
    Case("nesting", "a.jsonl", text("[" * 100_000), r"1: nested too deeply"),
    Case("nesting that closes", "a.jsonl", label("[" * 80 + "]" * 80), r"2: nested too deeply"),
    Case("endless digits", "a.jsonl", label("9" * 5000), r"2: a number is too long"),
    Case("NaN for a label", "a.jsonl", label("NaN"), r"2: the label is missing; .*"),
    Case(
        "an object for one label",
        "a.jsonl",
        label('{"a": 1}'),
        r"1: the label is no object of label -> probability, as in other rows.*",
    ),
    Case("a list for a label", "a.jsonl", label("[1, 2]"), r"2: the label is a list.*"),
    Case("an empty label", "a.jsonl", label('" \\n "'), r"2: the label is missing.*"),
    Case("half a surrogate pair", "a.jsonl", label(r'"\ud800"'), r"2: half of a surrogate pair.*"),
    Case(
        "a key twice", "a.jsonl", label('"x", "label": "y"'), r"2: the key 'label' stands twice.*"
    ),
    Case(
        "a number for stsb",
        "a.jsonl",
        text('{"sentence1": "a", "sentence2": "b", "label": 1' + "0" * 400 + "}"),
        r"1: the label 1000.* is not a number.*",
        recipe="stsb",
    ),
    Case(
        "infinity for stsb",
        "a.jsonl",
        text('{"sentence1": "a", "sentence2": "b", "label": 1e999}'),
        r"1: the label is missing.*",
        recipe="stsb",
    ),
]

NESTED = [
    Case("no article", "a.json", squad("7"), r"2: data\[0\]: no list 'paragraphs'.*", "qa"),
    Case(
        "deep articles", "a.json", squad("[" * 80 + "]" * 80), r"2: data\[0\]: nested too.*", "qa"
    ),
    Case("too deep", "a.json", squad("{},\n" + "[" * 10**5), r"2: .*no list.*", "qa"),
    Case("a key twice", "a.json", squad('{"a": 1, "a": 2}'), r"2: data\[0\]: the key 'a' .*", "qa"),
    Case(
        "two million articles", "a.json", squad("{},\n" * 2 * 10**6 + "{}"), r"2: data\[0\].*", "qa"
    ),
    Case(
        "half a surrogate pair",
        "a.json",
        squad(r'{"paragraphs": [{"context": "a\udc00", "qas": [{"id": 1}]}]}'),
        r"2: data\[0\]\.paragraphs\[0\]\.qas\[0\]: half of a surrogate pair.*",
        "qa",
    ),
    Case("a tag of spaces", "a.conll", text("a B-\u00a0\n"), r"1: .* is not a tag.*", "ner"),
    Case(
        "a sentence without end",
        "a.conll",
        text("a O\n" * 100_001),
        r"1: a sentence of more.*",
        "ner",
    ),
]

CASES = [*BYTES, *TABLES, *NESTED]


def train(command: Command, recipe: str, path: str, *more: str) -> tuple[int, str, str]:
    fast = [setting for setting in FAST if "keep" not in setting]
    code, out, err = command("train", recipe, *set_flags(*fast), "--train", path, *more)
    told = err.splitlines(keepends=True)
    if told and told[0].startswith(f"· {recipe}: reading"):  # said before anything is read
        told = told[1:]
    return code, out, "".join(told)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name}: {case.id}" for case in CASES])
def test_refused_in_one_line(case: Case, command: Command, tmp_path: Path) -> None:
    (tmp_path / case.name).write_bytes(case.make())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code, out, err = train(command, case.recipe, case.name)
    assert re.fullmatch(rf"error: {re.escape(case.name)}:{case.line}\n", err), err
    assert (code, out) == (2, "")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024


def test_unzipped_data_are_bounded(tmp_path: Path, command: Command, monkeypatch) -> None:
    monkeypatch.setattr(files, "FREE", MEBI)
    rows = gzip.compress(b"text,label\n" + b"aaaaaaaa,x\n" * 200_000)
    for name, recipe in (("a.csv.gz", "sentiment"), ("a.json.gz", "qa"), ("a.jsonl.gz", "ner")):
        content = rows if name == "a.csv.gz" else gzip.compress(b" " * 2 * MEBI)
        (tmp_path / name).write_bytes(content)
        code, _, err = train(command, recipe, name)
        assert code == 2
        assert re.search(r"gzip data of 200 times their size; give the unzipped file", err)


def test_text_that_is_easily_compressed_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"the same line\n" * 300_000))
    with files.TextFile(str(tmp_path / "a.txt.gz")) as file:
        assert sum(1 for _ in file) == 300_000


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/dev/zero", "/dev/zero: plain text has no labels"),
        ("bundled:../../etc/passwd", "a bundled path stays inside the data folder"),
        ("bundled:/etc/passwd", "a bundled path stays inside the data folder"),
        ("hub:../x", "not the name of a Hub data set"),
        ("hub:a/b/../../c", "not the name of a Hub data set"),
        ("x" * 5000, "cannot be read (File name too long)"),
        ("x" * 5000 + ".csv", "cannot be read (File name too long)"),
        ("a\nb.csv", "a b.csv: no such file"),
        ("[red]a.csv", "[red]a.csv: no such file"),
        ("\x1b[31ma.csv", "\ufffd[31ma.csv: no such file"),
        ("caf\udce9.csv", "caf\ufffd.csv: not a name in UTF-8; rename the file"),
        ("loop.csv", "loop.csv: cannot be read ("),
    ],
)
def test_paths(command: Command, tmp_path: Path, path: str, line: str) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    code, out, err = train(command, "sentiment", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert line in err


@pytest.mark.parametrize(
    "name", ["zero.csv", "zero.json", "zero.jsonl", "zero.conll", "zero.parquet"]
)
def test_endless_devices(command: Command, tmp_path: Path, name: str, monkeypatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE", 32 * MEBI)
    (tmp_path / name).symlink_to("/dev/zero")
    recipe = {"zero.json": "qa", "zero.conll": "ner"}.get(name, "sentiment")
    code, out, err = train(command, recipe, name)
    assert (code, out, err.count("\n")) == (2, "", 1), err


def test_unreadable_files(command: Command, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "a.csv").write_text("text,label\n", encoding="utf-8")
    (tmp_path / "a.csv").chmod(0)
    assert "permission denied" in train(command, "sentiment", "a.csv")[2]


NAMES = [
    "[red]",
    "[/]",
    "\\[bold]",
    ":x:",
    "\x1b[2J",
    "a\nb",
    "가" * 10_000,
    "</script>",
    "-",
    "O",
    "'",
]


def test_odd_labels_go_through_whole(command: Command, tiny: Path, tmp_path: Path) -> None:
    """They are trained, scored and answered; what a terminal shows holds no escape sequences."""
    import json

    rows = [{"text": f"a good film {i}", "label": name} for i, name in enumerate(NAMES * 2)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    options = ["--dev", "a.jsonl", "--model", str(tiny), "--out", "run"]
    code, _, told = train(command, "sentiment", "a.jsonl", *options)
    assert code == 0, told
    labels = json.loads((tmp_path / "run" / "best" / "bertft.json").read_text("utf-8"))["labels"]
    # White space inside a name is one space.
    assert sorted(labels) == sorted(" ".join(name.split()) for name in NAMES)
    for arguments in (["eval", "run"], ["runs", "show", "run"], ["runs", "list"]):
        code, _, err = command(*arguments)
        told += err
        assert code == 0
    assert all(name in told for name in ("[red]", "[/]", "\\[bold]", ":x:", "\ufffd[2J"))
    assert "\x1b" not in told
    assert max(map(len, told.splitlines())) < 1000
    for form in ("jsonl", "csv", "tsv", "txt"):
        code, out, err = command("predict", "a.jsonl", "--run", "run", "--format", form)
        assert code == 0, err
    assert out.count("\n") == len(rows)


RECIPE = [
    ("x = " + "[" * 5000, "recipe.toml: not valid TOML"),
    ("x = " + "9" * 5000, "recipe.toml: not valid TOML"),
    ("x = \ud800", "not UTF-8 text"),
    ("# " + "x" * 2 * MEBI, "recipe.toml: more than 1 MiB; is it a recipe?"),
    ("[task]\nname = 7", "[task] has no name"),
    ('[task]\nname = "\\u001b[2J[red]"', "no task '\ufffd[2J[red]'"),
    ('task = "x"', "task: input should be a valid dict"),
    ('[task]\nname = "classification"\n[training]\nlearning_rate = nan', "learning_rate"),
    ('[task]\nname = "classification"\n[training]\nepochs = true', "epochs"),
    (
        '[task]\nname = "classification"\n[data]\ntrain = "bundled:../../../etc/passwd"',
        "stays inside",
    ),
]


@pytest.mark.parametrize(("content", "line"), RECIPE, ids=[line for _, line in RECIPE])
def test_recipes(command: Command, tmp_path: Path, content: str, line: str) -> None:
    (tmp_path / "recipe.toml").write_bytes(content.encode("utf-8", "surrogatepass"))
    code, out, err = command("train", "recipe.toml")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert line in err
    if "UTF-8" in line or "MiB" in line:
        assert command("recipes", "show", "recipe.toml")[0] == 2


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000, "{", "\x1b[2J", "[red]", "x\ny = 1"])
def test_values_of_set(command: Command, value: str) -> None:
    code, out, err = command("train", "sentiment", "--set", f"training.epochs={value}")
    assert (code, out, err.count("\n"), "\x1b" in err) == (2, "", 1, False)
    assert "training.epochs: input should be a valid integer" in err
