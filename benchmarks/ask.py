"""Answers out of many passages: how often the right one is found, what is then answered, how long.

    python benchmarks/ask.py --squad dev-v1.1.json --run runs/squad2 --questions 500

Every paragraph of a SQuAD file is a passage. Recall of the paragraph that a question was asked
about: by vectors, by words, fused. EM and F1 of a run that reads the best passages, beside the same
run given the right one; how far its scores are probabilities, as the run's own confidence gives
them and calibrated on its dev set (take other articles than those of --squad); and how often it
says that there is no answer, also where the right passage is taken away. Then the search alone,
exact, over random vectors and made-up texts.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from bertft.bm25 import Words
from bertft.cache_folder import cached_files, cached_size
from bertft.console.console import Console
from bertft.evaluation import answers as scoring
from bertft.evaluation.ranking import best
from bertft.evaluation.reliability import calibration_error, error_by_chance
from bertft.inside.request import EncoderRequest
from bertft.prediction.predictor import Predictor, load
from bertft.retrieval.answering import Candidate, Scale, candidates, scored
from bertft.retrieval.calibrating import scale_for
from bertft.retrieval.index import Hit, Index, fuse, open_index
from bertft.retrieval.parts import COLUMNS, Part
from bertft.retrieval.request import IndexRequest
from bertft.runs.folder import Run, find_run

DEPTHS = (1, 5, 20)
ABSENT = 150
"""Questions whose passage is taken away."""


def read_squad(path: str) -> tuple[list[str], list[dict[str, Any]]]:
    """All paragraphs, and the questions with the number of theirs."""
    passages: list[str] = []
    questions = []
    for article in json.loads(Path(path).read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for one in paragraph["qas"]:
                golds = [answer["text"] for answer in one["answers"]]
                questions.append({**one, "passage": len(passages), "golds": golds})
            passages.append(paragraph["context"])
    return passages, questions


def open_timed(passages: Sequence[str], arguments: argparse.Namespace) -> tuple[Index, dict]:
    """The index of a file of passages, opened twice: seconds each, and its size."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "passages.jsonl"
        lines = (json.dumps({"passage": one}) for one in passages)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        encoder = EncoderRequest(model=arguments.model, device="cpu")
        request = IndexRequest(files=(str(file),), encoder=encoder)
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            index = open_index(request, watch=Console())
            seconds.append(time.perf_counter() - start)
    size = sum(map(cached_size, cached_files()))
    return index, {"first_s": seconds[0], "again_s": seconds[1], "mb_on_disk": size / 1e6}


def recalls(index: Index, questions: Sequence[dict[str, Any]]) -> tuple[dict, np.ndarray]:
    """Share of questions whose passage is among the best, by list and depth; the vectors."""
    texts = [one["question"] for one in questions]
    encoded = index.embedder.encode(texts, prompt=index.prompt)
    vectors = np.stack(index.embedder.vectors(encoded))
    ranks: dict[str, list[int]] = {"dense": [], "words": [], "fused": []}
    for one, vector in zip(questions, vectors, strict=True):
        dense, words = index.vectors @ vector, index.words.scores(one["question"])
        orders = {
            "dense": best(dense, count=max(DEPTHS)).tolist(),
            "words": best(words, count=max(DEPTHS)).tolist(),
            "fused": fuse(dense, words, count=max(DEPTHS))[0],
        }
        for name, order in orders.items():
            ranks[name].append(order.index(one["passage"]) if one["passage"] in order else 999)
    table = {
        name: {f"recall@{depth}": float(np.mean(np.array(found) < depth)) for depth in DEPTHS}
        for name, found in ranks.items()
    }
    return table, vectors


def scores(given: Sequence[str], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    pairs = list(zip(given, golds, strict=True))
    return {
        "em": float(np.mean([scoring.exact_match(a, g, scoring="squad") for a, g in pairs])),
        "f1": float(np.mean([scoring.f1(a, g, scoring="squad") for a, g in pairs])),
    }


def answered(
    index: Index, run: Run, questions: Sequence[dict[str, Any]], contexts: Sequence[str],
    depths: Sequence[int],
) -> dict[str, Any]:  # fmt: skip
    """EM and F1 with the right passage, and with the best ones, as the run's own confidence and as
    the scale fitted on its dev set have it; milliseconds of a question."""
    predictor = load(run, device="cpu", precision="fp32")
    golds = [one["golds"] for one in questions]
    pairs = zip(questions, contexts, strict=True)
    asked = [{"question": one["question"], "context": context} for one, context in pairs]
    found: dict[str, Any] = {
        "gold passage": scores([one["answer"] for one in predictor.predict(asked)], golds)
    }
    for depth in depths:
        start = time.perf_counter()
        scale = scale_for(run, predictor, index, passages=depth, watch=Console())
        own: dict[str, Any] = {"fitted_s": time.perf_counter() - start}
        start = time.perf_counter()
        read = read_all(predictor, index, questions, passages=depth)
        own["ms"] = 1e3 * (time.perf_counter() - start) / len(questions)
        some = slice(ABSENT)
        absent = read_all(predictor, index, questions[some], passages=depth, without=contexts[some])
        own["own confidence"] = judged(None, read, absent, golds)
        if scale is not None:
            own["calibrated"] = judged(scale, read, absent, golds)
        found[f"best {depth}"] = own
    return found


def read_all(
    predictor: Predictor, index: Index, questions: Sequence[dict[str, Any]], *, passages: int,
    without: Sequence[str] = (),
) -> list[list[Candidate]]:  # fmt: skip
    """The candidates of each question; ``without`` are passages that it shall not find."""
    if not without:
        texts = [one["question"] for one in questions]
        return [own for own, _ in candidates(predictor, index, texts, passages=passages)]
    found = []
    for one, context in zip(questions, without, strict=True):
        lacking: Any = Lacking(index, context)
        ((own, _),) = candidates(predictor, lacking, [one["question"]], passages=passages)
        found.append(own)
    return found


@dataclass(frozen=True, slots=True)
class Lacking:
    """An index without one of its passages."""

    index: Index
    text: str

    def search(self, query: str, *, top_k: int) -> list[Hit]:
        hits = self.index.search(query, top_k=top_k + 1)
        return [one for one in hits if one.passage.text != self.text.strip()][:top_k]


def judged(
    scale: Scale | None, read: Sequence[Sequence[Candidate]],
    absent: Sequence[Sequence[Candidate]], golds: Sequence[Sequence[str]],
) -> dict[str, Any]:  # fmt: skip
    """EM, F1 and calibration error of the best answers; what of it is refused, where the files hold
    the right passage and where they lack it."""
    least = 0.0 if scale is None else scale.least
    best = [next(iter(scored(scale, own)), (0.0, None)) for own in read]
    given = ["" if one is None else one.read.given.answer["answer"] for _, one in best]
    right = np.array(
        [scoring.exact_match(a, g, scoring="squad") for a, g in zip(given, golds, strict=True)]
    )
    sure = np.array([score for score, _ in best])
    lacking = np.array([next(iter(scored(scale, own)), (0.0, None))[0] for own in absent])
    return {
        **scores(given, golds),
        "mean_score": float(sure.mean()),
        "calibration_error": calibration_error(sure, right),
        "by_chance": error_by_chance(sure),
        "auroc": area_under(sure, right),
        "least": least,
        "refused_right": float((sure[right > 0] < least).mean()),
        "refused_wrong": float((sure[right == 0] < least).mean()),
        "refused_absent": float((lacking < least).mean()),
    }


def area_under(sure: np.ndarray, right: np.ndarray) -> float:
    """The share of pairs of a right and a wrong answer in which the right one scores higher."""
    above = sure[right > 0][:, None] - sure[right == 0][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def exact_search(count: int, *, width: int) -> dict[str, float]:
    """Milliseconds of a search over random passages: both lists, fused, the best 10 read."""
    random.seed(13)
    vocabulary = [f"w{number}" for number in range(30_000)]
    weights = [1 / (rank + 10) for rank in range(len(vocabulary))]
    texts = [" ".join(random.choices(vocabulary, weights, k=80)) for _ in range(count)]
    vectors = np.random.default_rng(13).standard_normal((count, width), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    start = time.perf_counter()
    words = Words.of(texts)
    indexed = time.perf_counter() - start
    empty = {"unit": "line", "number": 1, "id": "", "question": ""}
    columns = [pa.array([empty.get(one, "")] * count, kind) for one, kind in COLUMNS.items()]
    table = pa.Table.from_arrays(columns, names=list(COLUMNS))
    index = Index([("a", Part(Path("a"), table))], vectors, words, None, "")  # type: ignore[arg-type]
    times = []
    for _ in range(50):
        query = " ".join(random.choices(vocabulary, weights, k=10))
        vector = vectors[random.randrange(count)]
        start = time.perf_counter()
        index.ranked(vector, query, top_k=10)
        times.append(1e3 * (time.perf_counter() - start))
    return {"passages": count, "median_ms": median(times), "max_ms": max(times),
            "words_indexed_s": indexed}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--squad", default="")
    parser.add_argument("--run", default="")
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--questions", type=int, default=500, help="that the run answers")
    parser.add_argument("--depths", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--random", type=int, default=100_000, help="passages of the search alone")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    if arguments.squad:
        passages, questions = read_squad(arguments.squad)
        index, found["index"] = open_timed(passages, arguments)
        found["index"]["passages"] = len(index)
        found["recall"], _ = recalls(index, questions)
        print(json.dumps(found, indent=2))
        if arguments.run:
            some = random.Random(13).sample(questions, min(arguments.questions, len(questions)))
            contexts = [passages[one["passage"]] for one in some]
            run = find_run(arguments.run)
            found["answers"] = answered(index, run, some, contexts, arguments.depths)
    if arguments.random:
        found["search"] = exact_search(arguments.random, width=384)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
