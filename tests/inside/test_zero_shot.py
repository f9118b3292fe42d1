"""predict --labels: the label most like the text, said for what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bertft
from bertft.commands.embed import embed
from bertft.errors import BertftError
from bertft.inside import zero_shot
from bertft.inside.embedder import View, unit_length
from bertft.inside.request import EncoderRequest
from bertft.inside.zero_shot import hypotheses, read_labels


@pytest.fixture
def ask(command, tiny):
    def call(*arguments: str) -> tuple[list[dict], str]:
        code, out, err = command("predict", *arguments, "--model", str(tiny), "--device", "cpu",
                                 "--precision", "fp32")  # fmt: skip
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()], err

    return call


def test_the_label_is_the_one_most_like_the_text(ask, tiny):
    texts = ["a good film", "awful food", "slow"]
    found, err = ask(*texts, "--labels", "good,very_bad=awful food,slow")
    vectors = unit_length(
        embed([*texts, "good", "awful food", "slow"],
              encoder=EncoderRequest(model=str(tiny), device="cpu"), view=View())
    )  # fmt: skip
    expected = vectors[:3] @ vectors[3:].T
    names = ["good", "very_bad", "slow"]
    for answer, row in zip(found, expected, strict=True):
        assert answer["label"] == names[int(np.argmax(row))]
        assert answer["similarity"] == pytest.approx(row.max(), abs=1e-5)
        assert answer["similarities"][names[0]] == pytest.approx(row[0], abs=1e-5)
        assert "score" not in answer
    assert [one["label"] for one in found[1:]] == ["very_bad", "slow"]
    assert "nothing was learned" in err


def test_top_k_and_tables(ask, command, tiny):
    (one,), _ = ask("good", "--labels", "good,bad,slow", "--top-k", "2")
    assert len(one["similarities"]) == 2
    assert next(iter(one["similarities"])) == one["label"] == "good"
    _, out, _ = command("predict", "good", "--labels", "good,bad", "--model", str(tiny),
                        "--format", "csv")  # fmt: skip
    assert out.splitlines()[0] == "id,text,predicted_label,similarity,truncated,error"


def test_labels_are_read_with_their_descriptions(tmp_path, ear):
    assert read_labels("refund, card_arrival ,praise=thank you", tell=ear.note) == {
        "refund": [""], "card_arrival": [""], "praise": ["thank you"],
    }  # fmt: skip
    file = tmp_path / "labels.txt"
    file.write_text("환불=돈을 돌려주세요\n\n환불=환불, 빨리\n배송\n", encoding="utf-8")
    assert read_labels(str(file), tell=ear.note) == {
        "환불": ["돈을 돌려주세요", "환불, 빨리"],
        "배송": [""],
    }
    for wrong in ("one", "=nothing,b", "a,a"):
        with pytest.raises(BertftError, match="two labels or more"):
            read_labels(wrong, tell=ear.note)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--min-confidence", "0.5"), "no probabilities"),
        (("--run", "run"), "no run directory run"),
        (("--run", "run", "--model", "minilm"), "asks an encoder or an nli run"),
        (("--format", "html"), "format html shows entities"),
        (("--out", "folder/"), "one by one, into one file"),
    ],
)
def test_what_needs_a_trained_model_is_refused(command, flags, told):
    code, _, err = command("predict", "good", "--labels", "a,b", *flags)
    assert code == 2
    assert told in err


@pytest.mark.parametrize("window", [1, 7, 2048])
def test_an_nli_run_is_asked_whether_the_text_entails_the_label(
    command, bases, monkeypatch, window
):
    """However few of its pairs are asked at a time."""
    monkeypatch.setattr(zero_shot, "WINDOW", window)
    texts = ["we love good food", "the plot is dull"]
    labels = "food_and_film,dull=the film is slow,dull=it is dull,영화"
    flags = ["--run", str(bases["nli"]), "--device", "cpu", "--precision", "fp32"]
    code, out, err = command("predict", *texts, "--labels", labels, *flags)
    assert code == 0, err
    asked = {
        "food_and_film": ["This is about food and film."],
        "dull": ["the film is slow", "it is dull"],
        "영화": ["이 글은 영화에 관한 것이다."],
    }
    model = bertft.load(bases["nli"], device="cpu", precision="fp32")
    for text, answer in zip(texts, map(json.loads, out.splitlines()), strict=True):
        due = {
            label: max(
                model.predict({"premise": text, "hypothesis": one})["scores"]["entailment"]
                for one in sentences
            )
            for label, sentences in asked.items()
        }
        assert answer["entailments"] == pytest.approx(due, abs=1e-5)
        assert answer["label"] == max(due, key=due.__getitem__)
        assert answer["entailment"] == pytest.approx(max(due.values()), abs=1e-5)
        assert (answer["text"], answer["truncated"]) == (text, False)
    assert "the hypothesis of 'food_and_film': This is about food and film." in err
    assert "finds most probably entailed" in err
    assert hypotheses("a_b", ["", "c"]) == ["This is about a b.", "c"]


def test_labels_ask_no_run_of_another_task(command, bases):
    code, _, err = command("predict", "good", "--labels", "a,b", "--run", str(bases["ner"]))
    assert code == 2
    assert "--labels asks an nli run, and" in err
    assert "is one of ner" in err


def test_a_model_needs_labels(command):
    code, _, err = command("predict", "good", "--model", "minilm")
    assert code == 2
    assert "--model goes with --labels" in err


def test_a_file_of_labels_is_in_its_own_encoding_or_is_refused(tmp_path, ear):
    file = tmp_path / "labels.txt"
    file.write_bytes("환불=돈을 돌려주세요\n배송=언제 오나요\n".encode("cp949"))
    assert list(read_labels(str(file), tell=ear.note)) == ["환불", "배송"]
    assert "read as cp949" in ear.notes[-1]
    file.write_bytes(b"a\n\x00b\n")
    with pytest.raises(BertftError, match=r"labels\.txt:2: holds a NUL character"):
        read_labels(str(file), tell=ear.note)
    with pytest.raises(BertftError, match=r"nothere\.txt: no such file"):
        read_labels(str(tmp_path / "nothere.txt"), tell=ear.note)
    with pytest.raises(BertftError, match="is a folder, not a file"):
        read_labels(str(tmp_path), tell=ear.note)
