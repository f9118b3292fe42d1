"""A static model beside its teacher, TF-IDF with logistic regression, and Model2Vec.

    OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false python benchmarks/static.py RUN TRAIN
        [--texts FILE] [--set static.KEY=VALUE ...] [--seeds 1]
        [--contenders static teacher tfidf model2vec] [--out R.json]

RUN is the teacher, a finished run of classification; TRAIN the rows with gold that it learned from.
The static model learns the teacher's probabilities of their texts (or of those in --texts), the
peers learn the gold: words and pairs of words by TF-IDF, and Model2Vec (distilled from the encoder
that the teacher began with, 256 dimensions) with the classifier of its own training. All are scored
on the teacher's test (or dev) data.

Texts a second: of whole answers (``predict``), three rounds over the scored texts, repeated to
20,000, on one thread; of the static model also without the making of answers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.commands.distil import DistilRequest
from bertft.commands.distil_static import distil_static
from bertft.encoder.find import locate
from bertft.loaders.reading import read_examples
from bertft.prediction.predictor import Predictor, load
from bertft.recipe import load_recipe
from bertft.runs.folder import find_run
from bertft.watch import Silent

ROUNDS = 3
TEXTS = 20_000
Answer = Callable[[list[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Data:
    """Texts with their labels: to learn from, and to be scored on."""

    train: tuple[list[str], list[str]]
    test: tuple[list[str], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("train", type=Path)
    parser.add_argument("--texts", default="")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--contenders", nargs="+", default=["static", "teacher", *PEERS])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    run = find_run(given.run)
    recipe = load_recipe(str(run.path / "recipe.toml"))
    teacher = load(run, device="cpu")
    data = Data(
        *(
            labelled(teacher, path, recipe.data)
            for path in (str(given.train), recipe.data.test or recipe.data.dev)
        )
    )
    found = []
    for name in given.contenders:
        for seed in range(given.seeds if name == "static" else 1):
            started = time.perf_counter()
            answer = contender(name, teacher, data, given, recipe, seed=seed)
            made = time.perf_counter() - started
            found.append({"name": name, "seconds": made, **measured(answer, data)})
            print(json.dumps(found[-1]), flush=True)
    if given.out:
        given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def labelled(teacher: Predictor, path: str, settings: Any) -> tuple[list[str], list[str]]:
    examples = read_examples(teacher.task, path, settings, watch=Silent())
    ids = teacher.task.gold_ids(examples)  # type: ignore[attr-defined]
    return [one.text for one in examples], [teacher.task.labels[one[0]] for one in ids]


def contender(
    name: str, teacher: Predictor, data: Data, given: Any, recipe: Any, *, seed: int
) -> Answer:
    """What answers texts with labels."""
    if name == "teacher":
        return of_predictor(teacher)
    if name == "static":
        with tempfile.TemporaryDirectory() as folder:
            request = DistilRequest(
                run=given.run,
                files=(given.texts or str(given.train),),
                to="static",
                out=f"{folder}/run",
                overrides=tuple(given.overrides),
                seed=seed,
            )
            distil_static(request, watch=Silent())
            static = load(f"{folder}/run")
        tell_engine(static, data.test[0])
        return of_predictor(static)
    return PEERS[name](data, recipe)


def of_predictor(predictor: Predictor) -> Answer:
    return lambda texts: [one["label"] for one in predictor.predict(texts)]


def tell_engine(static: Predictor, texts: list[str]) -> None:
    """Texts a second from text to logits."""
    many = repeated(texts)
    examples = [static.task.example(one, id="1") for one in many]
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        static.engine.logits(static.encode(examples))
        rates.append(len(many) / (time.process_time() - started))
    print(json.dumps({"static, to logits": round(statistics.median(rates))}), flush=True)


def tfidf(data: Data, recipe: Any) -> Answer:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
        LogisticRegression(C=10, max_iter=1000),
    )
    model.fit(*data.train)
    return lambda texts: list(model.predict(texts))


def model2vec(data: Data, recipe: Any) -> Answer:
    from model2vec.distill import distill
    from model2vec.train import StaticModelForClassification

    folder, _ = locate(recipe.model, offline=True)
    static = distill(str(folder), device="cpu")
    model = StaticModelForClassification.from_static_model(model=static)
    model.fit(*data.train, device="cpu")
    pipeline = model.to_pipeline()
    return lambda texts: list(pipeline.predict(texts))


PEERS: dict[str, Callable[[Data, Any], Answer]] = {"tfidf": tfidf, "model2vec": model2vec}


def measured(answer: Answer, data: Data) -> dict[str, float]:
    texts, gold = data.test
    right = [a == b for a, b in zip(answer(texts), gold, strict=True)]
    many = repeated(texts)
    rates = []
    for _ in range(ROUNDS):
        chosen = many[:2000] if len(rates) == 0 else many
        started = time.process_time()
        answer(chosen)
        rates.append(len(chosen) / (time.process_time() - started))
        if rates[0] < 4000:  # an encoder: 20,000 texts would take minutes
            break
    return {
        "accuracy": sum(right) / len(right),
        "texts_per_second": round(statistics.median(rates)),
    }


def repeated(texts: list[str]) -> list[str]:
    return (texts * (TEXTS // len(texts) + 1))[:TEXTS]


if __name__ == "__main__":
    main()
