"""train retrieval through the command line: what it learns, saves, scores and refuses."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import FAST, Command, set_flags
from stopping import Stopper, events, notes, outcome, resume, sending

from bertft import rows
from bertft.commands.train import train
from bertft.encoder import encoded_rows
from bertft.errors import Interrupted
from bertft.jobs.request import TrainRequest

THINGS = ("film", "movie", "food", "plot")
KINDS = ("good", "bad", "great", "awful", "sad", "slow")
ROWS = [
    {"question": f"is the {thing} {kind}", "passage": f"we {verb} it : the {thing} was very {kind}"}
    for verb, kinds in (("love", KINDS[::2]), ("hate", KINDS[1::2]))
    for thing in THINGS
    for kind in kinds
]
SETTINGS = (*FAST, "training.epochs=12", "model.max_length=24")


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def request(folder: Path, tiny: Path, out: str, *settings: str) -> TrainRequest:
    data = write(folder / "pairs.jsonl", ROWS)
    return TrainRequest(
        recipe="retrieval", overrides=(*SETTINGS, *settings), train=data, dev=data,
        model=str(tiny), out=str(folder / out),
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned its pairs."""
    folder = tmp_path_factory.mktemp("retrieval")
    result = train(request(folder, tiny, "run"))
    assert result is not None
    return result.run


def scores_of(folder: Path) -> dict[str, float]:
    content = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return {name: one["value"] for name, one in content["metrics"].items()}


class TestTraining:
    def test_it_learns(self, done):
        losses = [one["loss"] for one in events(done, "step")]
        assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])
        scores = scores_of(done)
        assert list(scores) == ["ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@20"]
        before = next(one for one in notes(done) if one.startswith("before training: dev ndcg@10"))
        assert scores["ndcg@10"] > float(before.split()[4].rstrip(",")) + 0.1
        assert not any("has not helped" in one for one in notes(done))

    @pytest.mark.parametrize("shared", [(), ("task.mined=words",)], ids=["own", "shared"])
    def test_of_many_pairs_it_learns_the_same(self, tiny, tmp_path, monkeypatch, shared):
        """Passages are known by their tokens, which flat rows make anew each time."""
        settings = ("training.epochs=1", *shared)
        few = train(request(tmp_path, tiny, "few", *settings))
        monkeypatch.setattr(rows, "MANY", 4)
        monkeypatch.setattr(encoded_rows, "MANY", 4)
        many = train(request(tmp_path, tiny, "many", *settings))
        assert few is not None
        assert many is not None
        assert outcome(many.run) == outcome(few.run)

    def test_a_stopped_run_ends_as_one_that_was_not(self, tiny, tmp_path):
        settings = ("training.epochs=2", "task.mined=words")
        whole = train(request(tmp_path, tiny, "whole", *settings))
        stopper = Stopper(4, sending(signal.SIGTERM))
        with pytest.raises(Interrupted):
            train(request(tmp_path, tiny, "cut", *settings), watch=stopper)
        resume(tmp_path / "cut")
        assert whole is not None
        assert outcome(tmp_path / "cut") == outcome(whole.run)


class TestTheSavedFolder:
    def test_sentence_transformers_gives_the_same_vectors(self, done, tiny):
        models = pytest.importorskip("sentence_transformers")
        import bertft

        texts = ["is the film good", "영화 정말 최고", "the slow plot " * 20]
        model = models.SentenceTransformer(str(done / "best"), device="cpu")
        expected = model.encode(texts)
        found = bertft.embed(texts, model=str(done), device="cpu", precision="fp32")
        assert np.abs(np.asarray(found) - expected).max() < 1e-6
        assert np.linalg.norm(expected, axis=1) == pytest.approx(1, abs=1e-6)
        assert model.max_seq_length == 24
        plain = models.SentenceTransformer(str(tiny), device="cpu").encode(texts)
        assert np.abs(plain - expected).max() > 0.1

    def test_the_card_says_how_to_use_it(self, done):
        card = (done / "best" / "README.md").read_text(encoding="utf-8")
        assert "library_name: sentence-transformers" in card
        assert "pipeline_tag: sentence-similarity" in card
        assert "SentenceTransformer(" in card

    def test_search_takes_it(self, done, command: Command, tmp_path):
        rows = [{"passage": row["passage"]} for row in ROWS]
        write(tmp_path / "passages.jsonl", rows)
        asked = ["search", "is the food slow", "passages.jsonl", "--model", str(done), "--json"]
        code, out, err = command(*asked, "--top-k", "3")
        assert code == 0, err
        assert "pooling: mean, as its folder says" in err
        found = [json.loads(line) for line in out.splitlines()]
        assert found[0]["text"] == "we hate it : the food was very slow"


class TestScores:
    def test_eval_ranks_among_the_passages_of_its_file(
        self, done, command: Command, tmp_path, monkeypatch
    ):
        """However many answers are made at once."""
        monkeypatch.setattr("bertft.prediction.scoring.WINDOW", 3)
        rows = [*ROWS[:6], {"question": "is the plot dull", "passage": "no"}]
        data = write(tmp_path / "other.jsonl", rows)
        code, _, err = command("eval", str(done), "--data", data, "--out", "scored")
        assert code == 0, err
        assert scores_of(Path("scored"))["recall@20"] == 1.0
        lines = Path("scored/predictions.jsonl").read_text(encoding="utf-8").splitlines()
        answers = [json.loads(line) for line in lines]
        assert {one["of"] for one in answers} == {7}
        assert [one["gold"] for one in answers] == [[row["passage"]] for row in rows]
        report = Path("scored/report.html").read_text(encoding="utf-8")
        assert "is the mean of all orders of the passages" in report

    def test_two_runs_are_compared(self, done, command: Command, tmp_path):
        data = write(tmp_path / "some.jsonl", ROWS[:6])
        for out in ("a", "b"):
            code, _, err = command("eval", str(done), "--data", data, "--out", str(done / out))
            assert code == 0, err
        code, out, err = command("runs", "compare", str(done / "a"), str(done / "b"), "--json")
        assert code == 0, err
        metrics = json.loads(out)["metrics"]
        assert metrics["ndcg@10"]["b - a"] == 0

    def test_its_run_is_shown(self, done, command: Command):
        code, out, err = command("runs", "show", str(done))
        assert code == 0
        assert f"bertft search 'a question' FILES --model {done}" in out + err
        assert "recall@20" in out + err

    def test_a_pair_is_compared(self, done, command: Command):
        texts = ("is the film good", "we love it : the film was very good")
        code, out, err = command("predict", *texts, "--run", str(done), "--format", "jsonl")
        assert code == 0, err
        assert json.loads(out)["value"] > 0.5


def test_a_server_reads_pairs_and_explains_nothing(done: Path) -> None:
    from bertft.serving.models import Models, asked_models

    models = Models(asked_models([f"search={done}"]), device="cpu", precision="fp32")
    model = models.load("search")
    assert (model.reads, model.explains) == (("question", "passage"), False)


class TestOneFileOfSquad:
    def test_its_questions_find_their_paragraphs(self, tiny, command: Command, tmp_path):
        paragraphs = [
            {
                "context": row["passage"],
                "qas": [{"id": str(n), "question": row["question"], "answers": answer}],
            }
            for n, row in enumerate(ROWS)
            for answer in [[{"text": "it", "answer_start": row["passage"].index("it")}]]
        ]
        nothing = {"id": "x", "question": "why", "answers": [], "is_impossible": True}
        paragraphs[0]["qas"].append(nothing)
        (tmp_path / "squad.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
        flags = set_flags(*SETTINGS, "training.epochs=1", "data.dev_share=0.3")
        asked = ["train", "retrieval", "--train", "squad.json", "--model", str(tiny), "--out", "r"]
        code, _, err = command(*asked, *flags)
        assert code == 0, err
        assert "1 questions without an answer are left out" in err
        assert scores_of(Path("r"))["recall@20"] > 0


REFUSED = [
    ("training.mode=features", "retrieval trains the encoder itself: training.mode = features"),
    ("training.freeze=encoder", "retrieval trains the encoder itself: training.freeze = encoder"),
    ("training.mode=few-shot", "few-shot mode learns labels of single texts, not retrieval"),
    ("training.metric=f1", "training.metric: no score 'f1'"),
    ("task.pair_column=x", "no column 'x' for the pair"),
]


class TestRefused:
    @pytest.mark.parametrize(("setting", "message"), REFUSED)
    def test_settings(self, tiny, command: Command, tmp_path, setting, message):
        data = write(tmp_path / "pairs.jsonl", ROWS)
        asked = ["train", "retrieval", "--train", data, "--model", str(tiny), "--set", setting]
        code, _, err = command(*asked, *set_flags("model.max_length=24"))
        assert code == 2
        assert message in err

    def test_what_needs_answers(self, done, command: Command, tmp_path):
        pair = write(tmp_path / "pair.jsonl", ROWS[:1])
        for asked, message in (
            (["explain", pair, "--run", str(done)], "gives vectors"),
            (["export", str(done), "out", "--to", "onnx"], "is an encoder of texts"),
        ):
            code, _, err = command(*asked)
            assert code == 2
            assert message in err

    def test_processes_that_share_batches(self):
        from types import SimpleNamespace

        from bertft.errors import RecipeError
        from bertft.jobs.prepare import refuse_parts_of_batches
        from bertft.tasks import make_task

        two: Any = SimpleNamespace(num_processes=2)
        with pytest.raises(RecipeError, match="in one process, not 2"):
            refuse_parts_of_batches(make_task({"name": "retrieval"}), two)
        refuse_parts_of_batches(make_task({"name": "qa"}), two)


def test_init_writes_a_recipe_that_trains(tiny: Path, command: Command, tmp_path: Path) -> None:
    write(tmp_path / "pairs.jsonl", ROWS)
    code, _, err = command("init", "pairs.jsonl", "--model", str(tiny))
    assert code == 0, err
    text = (tmp_path / "pairs.toml").read_text(encoding="utf-8")
    assert "questions and the passages that answer them" in text
    assert "each question learns from the passages of all others" in text
    code, _, err = command("train", "pairs.toml", "--dry-run", *set_flags(*FAST))
    assert code == 0, err


def test_a_training_that_does_not_help_is_told(tiny: Path, tmp_path: Path) -> None:
    """A learning rate that changes nothing."""
    settings = ("training.learning_rate=1e-12", "training.epochs=1")
    result = train(request(tmp_path, tiny, "run", *settings))
    assert result is not None
    assert any(one.startswith("training has not helped: dev ndcg@10") for one in notes(result.run))
