"""pretrain through the command line: what it learns, saves, says and refuses."""

from __future__ import annotations

import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import make_tiny, tiny_tokenizer
from samples import Command, set_flags
from stopping import events
from transformers import AutoTokenizer, BertForPreTraining

from bertft.contracts import Encoded
from bertft.encoder.packing import Padder
from bertft.errors import Interrupted
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks.pretraining import from_options

FLAGS = set_flags(
    "training.device=cpu", "training.precision=fp32", "training.epochs=6",
    "training.batch_size=8", "training.learning_rate=5e-3", "model.max_length=32",
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with both heads, without dropout."""
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    folder = tmp_path_factory.mktemp("base")
    return make_tiny(folder, positions=64, kind="BertForPreTraining", seed=1, config=still)


def write_corpus(path: Path, *, documents: int = 24) -> str:
    kinds = (["the film is good and fun", "i love it"], ["영화 정말 나쁘다", "너무 최악 음식 맛"])
    texts = ("\n".join(kinds[n % 2] * 2) for n in range(documents))
    path.write_text("\n\n".join(texts), encoding="utf-8")
    return str(path)


def scores_of(folder: str) -> Any:
    return json.loads(Path(folder, "scores.json").read_text(encoding="utf-8"))


def losses_by_transformers(model: Path, encoded: list[Encoded]) -> tuple[float, float]:
    """(loss, mean loss of masked tokens) of ``BertForPreTraining`` as it loads a folder."""
    peer, told = BertForPreTraining.from_pretrained(model, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    batch = Padder(0, 0)(encoded, range(len(encoded)), head=None).inputs
    labels = torch.full_like(batch["input_ids"], -100)
    for number, one in enumerate(encoded):
        assert one.masked is not None
        labels[number, list(one.masked.places)] = torch.tensor(list(one.masked.tokens))
    kinds = torch.tensor([-100 if one.target is None else one.target for one in encoded])
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    with torch.no_grad():
        output = peer.eval()(**inputs, labels=labels, next_sentence_label=kinds)
    tokens = torch.nn.functional.cross_entropy(
        output.prediction_logits.flatten(0, 1), labels.flatten()
    )
    return float(output.loss), float(tokens)


def test_going_on_with_a_checkpoint(command: Command, base: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    held = write_corpus(tmp_path / "held.txt", documents=8)
    arguments = ["pretrain", corpus, "--dev", held, "--model", str(base), "--out", "run"]
    code, _, err = command(*arguments, *FLAGS)
    assert code == 0, err
    assert "made anew" not in err
    assert "exceed max_length" not in err
    scores = scores_of("run")
    metrics = {name: one["value"] for name, one in scores["metrics"].items()}
    assert set(metrics) == {"mlm_loss", "mlm_accuracy", "nsp_accuracy", "perplexity"}
    assert metrics["mlm_loss"] < scores["baseline"]["mlm_loss"]
    assert metrics["mlm_accuracy"] > scores["baseline"]["mlm_accuracy"]
    assert metrics["perplexity"] == pytest.approx(np.exp(metrics["mlm_loss"]))
    assert not list(tmp_path.glob("*-start"))
    assert "Pre-trained with bertft from" in Path("run/best/README.md").read_text("utf-8")
    assert "knows only how often each token stands" in Path("run/report.html").read_text("utf-8")

    # What is saved says the same in transformers, on the same masks and pairs.
    card = json.loads(Path("run/best/bertft.json").read_text(encoding="utf-8"))
    task = from_options(card["task"]).bind([], card["learned"])
    docs = list(task.read(Source(held, data=DataSettings())))
    encoded = task.encode(docs, tiny_tokenizer(), max_length=32)
    _, tokens = losses_by_transformers(Path("run/best"), encoded)
    assert metrics["mlm_loss"] == pytest.approx(tokens, abs=1e-5)

    asked = [
        ("fill-mask", "i [MASK] it", "--model", "run", "--json"),
        ("next-sentence", "i love it", "the film is good", "--model", "run", "--json"),
    ]
    for one in asked:
        code, out, err = command(*one)
        assert code == 0, err
        assert json.loads(out)
    exact = ["--device", "cpu", "--precision", "fp32"]
    code, _, err = command("check", "pretrain", "--train", corpus, "--model", "run", *FLAGS)
    assert code == 0, err
    assert "are cut" not in err
    code, _, err = command("eval", "run", "--data", held, "--out", "again", *exact)
    assert code == 0, err
    assert scores_of("again")["metrics"] == scores["metrics"]
    code, _, err = command("predict", corpus, "--run", "run")
    assert code == 2
    assert err.splitlines()[-1].startswith("error: a pre-trained model answers no texts by itself")
    table = tmp_path / "train.csv"
    table.write_text("text,label\ni love it,a\n너무 최악,b\n" * 8, encoding="utf-8")
    flags = ["--train", str(table), "--model", "run", "--out", "tuned"]
    assert command("train", "sentiment", *flags, *FLAGS)[0] == 0


def test_heads_made_anew_are_told(command: Command, tiny: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    for flags, parts in (
        ([], "no masked-LM head and no next-sentence head: made anew"),
        (["--no-nsp"], "no masked-LM head: made anew"),
    ):
        code, _, err = command(
            "pretrain", corpus, "--model", str(tiny), "--dry-run", *flags, *FLAGS
        )
        assert code == 0, err
        assert f"{tiny} carries {parts}" in err


def test_the_loss_of_a_step_is_that_of_transformers(
    command: Command, base: Path, tmp_path: Path
) -> None:
    """The mean of masked tokens plus the mean of pairs, over all sequences of the step."""
    corpus = write_corpus(tmp_path / "corpus.txt")
    flags = set_flags("training.batch_size=512", "training.epochs=1", "training.seed=3")
    arguments = ["pretrain", corpus, "--dev", corpus, "--model", str(base), "--out", "run"]
    assert command(*arguments, *FLAGS, *flags)[0] == 0
    task = from_options({"name": "pretraining"})
    docs = list(task.read(Source(corpus, data=DataSettings())))
    task = task.learn_labels(docs, path="")
    shown = task.vary(docs, tiny_tokenizer(), max_length=32, seed=3)
    encoded = task.encode(docs, tiny_tokenizer(), max_length=32)
    encoded = [shown(one, 0, number) for number, one in enumerate(encoded)]
    assert {one.target for one in encoded} == {0, 1, None}
    steps = events(Path("run"), "step")
    loss, _ = losses_by_transformers(base, encoded)
    assert [one["loss"] for one in steps] == [pytest.approx(loss, abs=1e-5)]


def test_from_scratch(command: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    rare = tmp_path / "held.txt"
    rare.write_text("zzyzx qq\nqq zzyzx\n\nzzyzx zzyzx\nqq\n" * 3, encoding="utf-8")
    arguments = ["pretrain", corpus, "--dev", str(rare), "--vocab-size", "100", "--whole-words"]
    code, _, err = command(*arguments, "--out", "run", *FLAGS, *set_flags("training.epochs=1"))
    assert code == 0, err
    assert "word embeddings start random: there are too few words to count" in err
    assert "unigrams" not in err
    assert "best (a plain Hugging Face model)" in err
    tokenizer = AutoTokenizer.from_pretrained("run/best")
    # No letter of what is held out is known, and Hangul stays whole.
    assert tokenizer.tokenize("zzyzx 영화") == ["[UNK]", "영화"]
    assert tokenizer("a", "b")["token_type_ids"] == [0, 0, 0, 1, 1]
    model = BertForPreTraining.from_pretrained("run/best")
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (2, 128)
    words = model.bert.embeddings.word_embeddings.weight
    assert model.cls.predictions.decoder.weight.data_ptr() == words.data_ptr()
    recipe = Path("run/recipe.toml").read_text(encoding="utf-8")
    assert "whole_words = true" in recipe
    assert "dropout = 0.0" in recipe
    assert model.config.hidden_dropout_prob == 0.1
    assert f'name = "{tmp_path / "run-start"}"' in recipe


def test_word_embeddings_start_from_counts(command: Command, tmp_path: Path) -> None:
    """Words of one topic start alike, unless random ones are asked for."""
    topics = [[f"{name}{number}" for number in range(120)] for name in ("sea", "tax")]
    draw = random.Random(1)
    lines = [" ".join(draw.choices(topics[n % 2], k=15)) for n in range(400)]
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n\n".join(lines), encoding="utf-8")
    nearer = {}
    for name in ("counted", "random"):
        asked = ["pretrain", str(corpus), "--embeddings", name, "--vocab-size", "800"]
        code, _, err = command(*asked, "--out", name, *FLAGS, *set_flags("training.epochs=1"))
        assert code == 0, err
        assert "start random" not in err
        tokenizer = AutoTokenizer.from_pretrained(f"{name}-start")
        model = BertForPreTraining.from_pretrained(f"{name}-start")
        words = model.get_input_embeddings().weight.detach()
        sea, tax = (
            torch.nn.functional.normalize(words[tokenizer.convert_tokens_to_ids(topic)], dim=1)
            for topic in topics
        )
        nearer[name] = float((sea[:60] @ sea[60:].T).mean() - (sea @ tax.T).mean())
    assert nearer["counted"] > 0.1 > abs(nearer["random"]) * 2


def test_sentence_lists_of_two_files_from_scratch(command: Command, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("영화 정말 좋다 the film is good\n" * 60, encoding="utf-8")
    table = tmp_path / "reviews.csv"
    table.write_text("document,x\n" + "음식 정말 좋다,1\n" * 60, encoding="utf-8")
    both = ["pretrain", str(lines), str(table), "--vocab-size", "100"]
    code, _, err = command(*both, "--dry-run", *FLAGS)
    assert code == 0, err
    assert "masked tokens alone" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.txt", "reviews.csv"]
    assert command(*both, "--out", "run", *FLAGS, *set_flags("training.epochs=1"))[0] == 0
    scores = scores_of("run")
    assert set(scores["metrics"]) == {"mlm_loss", "mlm_accuracy", "perplexity"}
    # There is no head for next sentences that nothing has trained.
    code, _, err = command("next-sentence", "a", "b", "--model", "run")
    assert code == 2
    assert "carries no trained next-sentence head" in err


def test_resume_is_byte_equal(command: Command, base: Path, tmp_path: Path) -> None:
    """A run that goes on from its middle ends with the very weights of one that did not stop."""
    from bertft.commands.pretrain import pretrain
    from bertft.jobs.pretraining import PretrainRequest
    from bertft.watch import Silent

    def request(out: str) -> PretrainRequest:
        files = tuple(write_corpus(tmp_path / name) for name in ("a.txt", "b.txt"))
        return PretrainRequest(
            corpus=files, vocabulary=100, out=out, overrides=(*FLAGS[1::2], "training.epochs=2")
        )

    class Stop(Silent):
        def step(self, report: object) -> None:
            if getattr(report, "step", 0) == 7:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert pretrain(request("whole")) is not None
        with pytest.raises(Interrupted):
            pretrain(request("cut"), watch=Stop())
        starts = [Path(f"{run}-start/tokenizer.json").read_bytes() for run in ("whole", "cut")]
        assert starts[0] == starts[1]
        code, _, err = command("train", "--resume", "cut")
        assert code == 0, err
        for file in ("best/model.safetensors", "scores.json", "predictions.jsonl"):
            assert Path("whole", file).read_bytes() == Path("cut", file).read_bytes(), file


def test_a_file_that_changed_meanwhile_is_refused(
    command: Command, base: Path, tmp_path: Path
) -> None:
    from bertft.commands.pretrain import pretrain
    from bertft.jobs.pretraining import PretrainRequest
    from bertft.watch import Silent

    files = tuple(write_corpus(tmp_path / name) for name in ("a.txt", "b.txt"))

    class Stop(Silent):
        def step(self, report: object) -> None:
            raise KeyboardInterrupt

    request = PretrainRequest(
        corpus=files, model=str(base), out=str(tmp_path / "run"), overrides=tuple(FLAGS[1::2])
    )
    with pytest.raises(Interrupted):
        pretrain(request, watch=Stop())
    write_corpus(tmp_path / "b.txt", documents=23)
    code, _, err = command("train", "--resume", "run")
    assert code == 2
    assert f"{files[1]} was changed" in err


def test_a_corpus_is_read_once_so_that_it_may_come_from_stdin(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = Path(write_corpus(tmp_path / "corpus.txt"))
    flags = ["--size", "tiny", *FLAGS, *set_flags("training.epochs=1")]
    code, _, err = command("pretrain", str(corpus), *flags, "--out", "own")
    assert code == 0, err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(corpus.read_bytes())))
    code, _, err = command("pretrain", "-", *flags, "--out", "piped")
    assert code == 0, err
    for name in ("best/model.safetensors", "best/tokenizer.json"):
        assert (tmp_path / "own" / name).read_bytes() == (tmp_path / "piped" / name).read_bytes()
    noted = [event["text"] for event in events(tmp_path / "own", "note")]
    assert sum("held out" in text for text in noted) == 1
    assert sum("an untrained BERT" in text for text in noted) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.txt", "--model", "BASE", "--size", "tiny"], "describe a new encoder"),
        (["x.txt", "--model", "BASE", "--embeddings", "random"], "describe a new encoder"),
        (["nosuch.txt"], "nosuch.txt"),
        (["empty.txt"], "empty.txt: no usable rows"),
        (["bad.txt"], "bad.txt:2: not utf-8 text"),
        (["-", "-"], "'-' is named twice, and stdin can be read once"),
        (["-", "--dev", "-"], "'-' is named twice, and stdin can be read once"),
        (["table.csv"], "no column for the text"),
        (["short.txt", "--model", "BASE"], "too few rows to hold out a dev set"),
        (["good.txt", "--size", "huge"], "huge"),
        (["good.txt", "--model", "BASE", "--set", "training.metric=nosuch"], "no score 'nosuch'"),
        (["good.txt", "--model", "BASE", "--set", "task.mask_share=2"], "mask_share"),
        (["good.txt", "--model", "BASE", "--set", "training.mode=features"], "leave it as it is"),
        (["good.txt", "--out", "taken"], "taken exists already"),
        (["good.txt", "--out", "some"], "some-start exists already"),
    ],
)
def test_what_is_refused(
    command: Command, base: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty.txt").write_bytes(b"\n \n")
    (tmp_path / "bad.txt").write_bytes(b"a\n\xff\n")
    (tmp_path / "table.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    (tmp_path / "short.txt").write_text("the film\n", encoding="utf-8")
    (tmp_path / "some-start").mkdir()
    (tmp_path / "taken").mkdir()
    write_corpus(tmp_path / "good.txt")
    before = sorted(tmp_path.rglob("*"))
    arguments = [str(base) if one == "BASE" else one for one in arguments]
    code, out, err = command("pretrain", *arguments, *FLAGS)
    assert (code, out) == (2, "")
    assert message in (err if "huge" in arguments else err.splitlines()[-1])
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_final_scores_are_of_the_pairs_of_training(
    command: Command, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bertft.prediction.scoring.WINDOW", 3)
    corpus = write_corpus(tmp_path / "corpus.txt")
    held = write_corpus(tmp_path / "held.txt", documents=16)
    arguments = ["pretrain", corpus, "--dev", held, "--model", str(base), "--out", "run"]
    assert command(*arguments, *FLAGS)[0] == 0
    found = [one["scores"] for one in events(Path("run"), "scores")]
    final = {name: one["value"] for name, one in scores_of("run")["metrics"].items()}
    assert final == pytest.approx(found[-1], abs=1e-5)


def test_a_loss_may_choose_the_checkpoint(command: Command, base: Path, tmp_path: Path) -> None:
    """The lower the better: the best step is that of the lowest loss on dev."""
    corpus = write_corpus(tmp_path / "corpus.txt")
    flags = set_flags("training.metric=mlm_loss", "training.keep=best")
    assert command("pretrain", corpus, "--model", str(base), "--out", "run", *FLAGS, *flags)[0] == 0
    found = events(Path("run"), "scores")
    best = min(found, key=lambda one: one["scores"]["mlm_loss"])
    assert len(found) == 6
    assert [one["step"] for one in found if one["is_best"]][-1] == best["step"] > found[0]["step"]
