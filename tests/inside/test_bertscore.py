"""BERTScore: the formula, idf and rescaling, and the package bert_score as the oracle."""

from __future__ import annotations

import json
import math
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import BAD, GOOD, Command

from bertft.commands.bertscore import BertScoreRequest, bertscore
from bertft.contracts import Encoded
from bertft.errors import BertftError, DataError
from bertft.inside.bertscore import Pair, match, read_baseline, unrelated, weights_of
from bertft.inside.embedder import unit_length
from bertft.inside.request import EncoderRequest
from bertft.prediction.texts import TextRequest
from bertft.watch import Silent

REFERENCES = [*GOOD, *BAD, "a good film and a dull plot , was it not"]
CANDIDATES = [*BAD, *GOOD, "영화 정말 좋다"]


def score(tiny: Path, *files: str, **settings: Any) -> dict[str, Any]:
    encoder = EncoderRequest(model=str(tiny), device="cpu")
    request = BertScoreRequest(texts=TextRequest(arguments=files), encoder=encoder, **settings)
    return bertscore(request, watch=Silent())


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.chdir(tmp_path)
    for name, texts in (("r.txt", REFERENCES), ("c.txt", CANDIDATES)):
        (tmp_path / name).write_text("\n".join(texts) + "\n", encoding="utf-8")
    return "r.txt", "c.txt"


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**16))
def test_a_text_matches_itself_and_roles_are_mirrored(r: int, c: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = (unit_length(random.standard_normal((n, 5)).astype(np.float32)) for n in (r, c))
    one, other = random.random(r) + 0.1, random.random(c) + 0.1
    assert match(a, a, weights=(one, one)) == pytest.approx((1, 1, 1), abs=1e-5)
    precision, recall, f1 = match(a, b, weights=(one, other))
    assert match(b, a, weights=(other, one)) == pytest.approx((recall, precision, f1))
    assert match(a, b, weights=(one * 3, other * 7)) == pytest.approx((precision, recall, f1))


def test_the_formula() -> None:
    reference, candidate = np.eye(3)[:2], unit_length(np.array([[1.0, 1, 0], [0, 0, 1]]))
    half = math.sqrt(0.5)
    precision, recall, f1 = match(
        reference, candidate, weights=(np.array([1.0, 1]), np.array([3.0, 1]))
    )
    assert (precision, recall) == pytest.approx((0.75 * half, half))
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert match(reference, candidate, weights=(np.zeros(2), np.ones(2))) == (0.0, 0.0, 0.0)


def test_rare_tokens_weigh_more() -> None:
    def text(*ids: int) -> Encoded:
        return Encoded(array("i", [101, *ids, 102]), array("i"), 0)

    tokenizer = SimpleNamespace(cls_token_id=101, sep_token_id=102)
    embedder: Any = SimpleNamespace(extractor=SimpleNamespace(tokenizer=tokenizer))
    references = [text(7, 7, 8), text(7), text(9)]
    weigh = weights_of(embedder, references, idf=True)
    expected = [0, math.log(4 / 3), math.log(4 / 2), math.log(4), 0]
    assert weigh(text(7, 8, 5)).tolist() == pytest.approx(expected)
    assert weights_of(embedder, references, idf=False)(text(7, 5)).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("idf", [False, True])
@pytest.mark.parametrize("layer", [1, 2])
def test_it_is_what_bert_score_says(
    tiny: Path, files: tuple[str, str], layer: int, idf: bool
) -> None:
    """One pair at a time: in its batches padding counts as a match with a cosine of 0."""
    peer = pytest.importorskip("bert_score")
    scorer = peer.BERTScorer(
        model_type=str(tiny), num_layers=layer, idf=idf, idf_sents=REFERENCES if idf else None,
        nthreads=0, device="cpu",
    )  # fmt: skip
    expected = scorer.score(CANDIDATES, REFERENCES, batch_size=1)
    found = score(tiny, *files, layer=str(layer), idf=idf)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=True):
        assert [one[name] for one in found["pairs"]] == pytest.approx(values.tolist(), abs=1e-5)
    assert found["metrics"]["f1"]["value"] == pytest.approx(float(expected[2].mean()), abs=1e-5)


def test_rescaled_scores_have_a_baseline_of_unrelated_pairs(
    tiny: Path, files: tuple[str, str], tmp_path: Path
) -> None:
    plain, found = score(tiny, *files), score(tiny, *files, rescale=True)
    b = found["baseline"]["recall"]
    for one, other in zip(plain["pairs"], found["pairs"], strict=True):
        assert other["recall"] == pytest.approx((one["recall"] - b) / (1 - b))
    (tmp_path / "b.tsv").write_text("LAYER,P,R,F\n0,0.1,0.2,0.3\n2,0.5,0.4,0.45\n")
    found = score(tiny, *files, baseline="b.tsv")
    assert found["baseline"] == {"precision": 0.5, "recall": 0.4, "f1": 0.45}
    with pytest.raises(DataError, match=r"b\.tsv: no baseline of layer 1"):
        read_baseline("b.tsv", layer=1)
    with pytest.raises(BertftError, match="--rescale and --baseline; choose one"):
        score(tiny, *files, baseline="b.tsv", rescale=True)


def test_unrelated_pairs_belong_to_different_rows() -> None:
    pairs = [Pair(str(n), f"r{n}", f"c{n}") for n in range(30)]
    found = unrelated(pairs)
    assert len(found) == 30
    assert all(one.reference[1:] != one.candidate[1:] for one in found)
    with pytest.raises(DataError, match="--rescale needs 10 pairs or more, not 3"):
        unrelated(pairs[:3])


def test_the_command(command: Command, tiny: Path, files: tuple[str, str]) -> None:
    code, out, err = command("bertscore", *files, "--model", str(tiny))
    assert code == 0, err
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["13 pairs", "value", "95 % CI"]
    assert [line[0] for line in lines[1:]] == ["precision", "recall", "f1"]
    rows = zip(REFERENCES, CANDIDATES, strict=True)
    lines_of = (json.dumps({"sentence1": a, "sentence2": b}) for a, b in rows)
    Path("pairs.jsonl").write_text("\n".join(lines_of) + "\n")
    code, out, _ = command("bertscore", "pairs.jsonl", "--json", "--model", str(tiny))
    found = json.loads(out)
    assert (found["n"], found["layer"], found["baseline"]) == (13, 2, None)
    low, high = (found["metrics"]["f1"][name] for name in ("low", "high"))
    assert low < found["metrics"]["f1"]["value"] < high
    assert found["metrics"]["f1"]["value"] == pytest.approx(float(lines[3][1]), abs=1e-4)


def test_lines_that_do_not_belong_together_are_refused(
    command: Command, tiny: Path, files: tuple[str, str]
) -> None:
    Path("blank.txt").write_text("\n".join([*CANDIDATES[:2], "", *CANDIDATES[2:-1]]) + "\n")
    code, _, err = command("bertscore", "r.txt", "blank.txt", "--model", str(tiny))
    assert (code, "blank.txt:3: is blank here and not in the other file" in err) == (2, True)
    Path("few.txt").write_text("\n".join(CANDIDATES[:3]) + "\n")
    code, _, err = command("bertscore", "r.txt", "few.txt", "--model", str(tiny))
    assert (code, "r.txt: 13 texts, but 3 in few.txt" in err) == (2, True)
    code, _, err = command("bertscore", *files, "--layer", "all", "--model", str(tiny))
    assert (code, "bertscore compares one layer" in err) == (2, True)


def test_columns_are_known_by_what_they_are(command: Command, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("Candidate,reference\ngood,bad\n,slow\n", encoding="utf-8")
    code, out, err = command("bertscore", "p.csv", "--model", str(tiny), "--json")
    assert code == 0, err
    first, second = json.loads(out)["pairs"]
    assert (first["reference"], first["candidate"]) == ("bad", "good")
    assert second["f1"] == 0
    assert "p.csv: references in 'reference', candidates in 'Candidate'" in err
    assert "1 pair with an empty text: 0 in all scores" in err


def test_one_file_of_lines_is_nothing_to_compare(
    command: Command, tiny: Path, files: tuple[str, str]
) -> None:
    code, _, err = command("bertscore", "r.txt", "--model", str(tiny))
    assert (code, "name what is compared with it: bertft bertscore r.txt" in err) == (2, True), err
