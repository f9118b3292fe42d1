"""Hard negatives: training questions and their passages in; the same with passages that look like
an answer and are none, found among those of all examples.

``words`` finds passages by the words of the question (BM25), ``vectors`` by the encoder as it is
before training. A passage that is nearly as near as the right one is likely to answer, too: by
vectors, those beyond NEAR of its cosine are left out (Moreira et al. 2024, NV-Retriever,
arXiv:2407.15831, where 95 % of the positive score is the best of several rules).

Shape legend: P passages, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bertft.bm25 import Words
from bertft.contracts import FloatArray, Task
from bertft.encoder.load import Encoder
from bertft.encoder.packing import choose_batcher
from bertft.encoder.pieces import pieces_of
from bertft.evaluation.ranking import best
from bertft.loaders.pairs import Pair, composed
from bertft.settings import ModelSettings
from bertft.tasks.retrieval import Retrieval, gold_passages
from bertft.training.inference import compute_logits
from bertft.training.runtime import Runtime
from bertft.watch import Watch
from bertft.words import counted

NEAR = 0.95
"""Of the cosine of the right passage."""

Scores = Callable[[int], FloatArray]
"""How well each passage [P] fits the question of an example."""


def with_negatives(
    task: Task[Pair],
    examples: Sequence[Pair],
    encoder: Encoder,
    *,
    runtime: Runtime,
    model: ModelSettings,
    watch: Watch,
) -> Sequence[Pair]:
    """The examples with the negatives that the task wants to be found; said."""
    if not isinstance(task, Retrieval) or task.options.mined == "none":
        return examples
    passages = list(dict.fromkeys(composed(one.pair) for one in examples))
    how, count = task.options.mined, task.options.mined_count
    if how == "words":
        scores = _by_words(examples, passages)
    else:
        scores = _by_vectors(task, examples, passages, encoder, runtime=runtime, model=model)
    found = _mined(examples, passages, scores, count=count, near=NEAR if how == "vectors" else None)
    added = sum(
        len(new.negatives) - len(old.negatives) for new, old in zip(found, examples, strict=True)
    )
    what = f"{counted(added, 'hard negative')} for {counted(len(examples), 'question')}"
    watch.note(f"{what} found by {how} among {counted(len(passages), 'passage')} of train")
    return found


def _mined(
    examples: Sequence[Pair],
    passages: Sequence[str],
    scores: Scores,
    *,
    count: int,
    near: float | None,
) -> list[Pair]:
    """Each example with the best ``count`` passages that do not answer its question.

    Those with a score beyond ``near`` of its own passage's are left out, None for any.
    """
    golds = gold_passages(examples, {text: place for place, text in enumerate(passages)})
    found = []
    for number, (one, gold) in enumerate(zip(examples, golds, strict=True)):
        row = scores(number)
        most = np.inf if near is None else near * float(row[gold[0]])
        least = 0.0 if near is None else -np.inf  # a passage without any of the words is no match
        fits = np.where((row <= most) & (row > least), row, -np.inf)
        fits[gold] = -np.inf
        chosen = [passages[place] for place in best(fits, count=count) if np.isfinite(fits[place])]
        found.append(replace(one, negatives=tuple(dict.fromkeys((*one.negatives, *chosen)))))
    return found


def _by_words(examples: Sequence[Pair], passages: Sequence[str]) -> Scores:
    words = Words.of(passages)
    return lambda number: words.scores(examples[number].text)


def _by_vectors(
    task: Retrieval,
    examples: Sequence[Pair],
    passages: Sequence[str],
    encoder: Encoder,
    *,
    runtime: Runtime,
    model: ModelSettings,
) -> Scores:
    """By cosines of the encoder's vectors, questions and passages as in training."""
    head = task.head(examples)
    encoded = task.encode(examples, encoder.tokenizer, max_length=model.max_length)
    net = head.build(encoder.folder).to(runtime.device)  # type: ignore[arg-type]
    vectors = compute_logits(
        net,
        encoded,
        head=head,
        batcher=choose_batcher(net, encoder.tokenizer, head=head),
        precision=runtime.precision,
    )
    pieces = pieces_of(len(examples), encoded, vectors)  # a question, its passage, its negatives
    known = {composed(one.pair): own[1][1] for one, own in zip(examples, pieces, strict=True)}
    table = np.stack([known[text] for text in passages])  # [P, H]
    return lambda number: table @ pieces[number][0][1]
