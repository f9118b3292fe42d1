"""Classification: rows with a text (or two) and a label go in, label + probability come out.

Binary, multi-class, multi-label (several labels per text) and sentence pairs; with
``regression = true`` a number instead of a label (see regression.py). Options are in
classification_options.py.
Shape legend: C labels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from bertft.checks.agreement import agreement
from bertft.checks.finding import Finding, Reading, Split
from bertft.contracts import Answer, Encoded, FloatArray, Head, Learned, Pieces
from bertft.errors import DataError, RecipeError
from bertft.evaluation.calibration import (
    TWICE,
    Choices,
    Events,
    Evidence,
    Scaling,
    choices_of,
    events_of,
    scaled,
)
from bertft.evaluation.probabilities import sigmoid, softmax
from bertft.evaluation.statistic import Scores
from bertft.loaders.source import Source
from bertft.recipe import validate
from bertft.rows import mapped
from bertft.tasks.classification_options import (
    ClassificationLearned,
    ClassificationOptions,
    soft_row,
)
from bertft.tasks.label_cells import LabelCells
from bertft.tasks.label_names import natural_order
from bertft.tasks.long_text import LongText
from bertft.tasks.scope import Scope, figures
from bertft.tasks.soft_labels import Soft, mean_labels
from bertft.tasks.spellings import Spellings
from bertft.tasks.text_rows import TextExample, TextRows, encode_examples
from bertft.words import counted

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Classification:
    """The task. ``labels`` is empty until ``bind`` or ``learn_labels``.

    ``standard`` are the labels of a task that has them by definition (NLI), ``keys`` the names of
    the two texts in answers, ``left_out`` the gold cells that mean "no agreed label".
    """

    options: ClassificationOptions
    labels: tuple[str, ...] = ()
    name: str = "classification"
    standard: tuple[str, ...] = ()
    keys: tuple[str, str] = ("text", "text_pair")
    left_out: frozenset[Any] = frozenset()
    chosen: float | None = None
    """Multi-label: the threshold that dev tells."""
    by_label: tuple[float, ...] = ()
    """Multi-label: the threshold of each label that dev tells, where it was asked for these."""
    scaling: Scaling = ()
    """Of logits, fitted on dev: one slope for all labels; multi-label, one for each."""
    scope: Scope | None = None
    """What texts out of scope are called, and from where on a text is one; None where texts are
    not told apart."""

    @property
    def learned(self) -> Learned:
        learned: Learned = {} if self.chosen is None else {"threshold": self.chosen}
        learned |= {} if self.scope is None else {"out_of_scope": self.scope.learned}
        learned |= {"thresholds": list(self.by_label)} if self.by_label else {}
        if not self.scaling:
            return learned
        if self.options.multi_label:
            return learned | {"scaling": [list(one) for one in self.scaling]}
        return learned | {"temperature": 1 / self.scaling[0][0]}

    @property
    def thresholds(self) -> FloatArray:
        """[C] the probabilities from which labels are given: asked for, else chosen on dev, else
        0.5."""
        asked = self.options.threshold
        if asked is None and self.by_label:
            return np.array(self.by_label)
        one = asked if asked is not None else 0.5 if self.chosen is None else self.chosen
        return np.full(len(self.labels), one)

    @property
    def metric(self) -> str:
        return "micro_f1" if self.options.multi_label else "accuracy"

    # --- reading ------------------------------------------------------------------------------

    def read(self, source: Source) -> Iterator[TextExample]:
        return self._rows().read(source)

    def example(self, record: str | Mapping[str, Any], *, id: str) -> TextExample:
        return self._rows().example(record, id=id)

    def _rows(self) -> TextRows:
        o = self.options
        columns = self._columns
        cells = LabelCells(o.multi_label, o.label_separator, tuple(o.label_names), columns)
        label = columns or str(o.label_column)
        several = o.multi_label
        return TextRows(
            cells.reader,
            o.text_column,
            o.pair_column,
            label,
            o.pairs,
            self.left_out,
            several=several,
            may_be_soft=True,
        )

    @property
    def _columns(self) -> tuple[str, ...]:
        """Columns of zeros and ones, one for each label; () where one column holds the labels."""
        columns = self.options.label_column
        return () if isinstance(columns, str) else tuple(columns)

    # --- labels -------------------------------------------------------------------------------

    def bind(self, labels: Sequence[str], learned: Mapping[str, Any]) -> Classification:
        found = validate(ClassificationLearned, learned, where="learned")
        scaling = tuple((one[0], one[1]) for one in found.scaling if len(one) == 2)
        if found.scaling and len(scaling) != len(labels):
            raise RecipeError("learned: scaling: not two figures for each label")
        if found.temperature != 1:
            scaling = ((1 / found.temperature, 0.0),)
        if found.thresholds and len(found.thresholds) != len(labels):
            raise RecipeError("learned: thresholds: not one for each label")
        return replace(
            self,
            labels=tuple(labels),
            chosen=found.threshold,
            by_label=tuple(found.thresholds),
            scaling=scaling,
            scope=None if found.out_of_scope is None else Scope.of(found.out_of_scope),
        )

    def learn_labels(self, examples: Sequence[TextExample], *, path: str) -> Classification:
        """Label names from the recipe, or from the data: sorted, numbers by value.

        Raises:
            DataError: the labels leave nothing to learn.
        """
        found = {name for example in examples for name in example.told_names}
        scope = self._scope_of(found)
        outside = Spellings(self.options, (), scope).outside
        found -= outside
        names = {self.options.label_aliases.get(name, name) for name in found}
        known = self.options.label_names or self._columns or self.standard
        known = [name for name in known or sorted(names, key=natural_order) if name not in outside]
        bound = replace(self.bind(known, {}), scope=scope)
        ids = bound._spellings.ids()
        used = {ids.get(name) for name in found}
        if not used:
            raise DataError("no row has a label", path=path, hint="add labelled rows")
        if len(used) < 2 and None not in used and not self.options.multi_label:
            what = f"all rows have the same label ({min(found)})"
            raise DataError(what, path=path, hint="add rows with another label")
        return bound

    def _scope_of(self, found: Collection[str]) -> Scope | None:
        """What is out of scope for a model that is to learn the labels ``found``; None where
        nothing is."""
        o = self.options
        scope = Scope(o.out_of_scope_label)
        if o.out_of_scope == "auto":
            may = self.name == "classification" and not o.multi_label
            outside = Spellings(o, (), scope).outside
            there = not outside.isdisjoint([*found, *o.label_names])
            return scope if may and there else None
        return scope if o.out_of_scope else None

    def check(self, examples: Sequence[TextExample], *, path: str) -> list[str]:
        spellings = self._spellings
        ids, outside = spellings.ids(), spellings.outside
        renamed: dict[str, str] = {}
        for example in examples:
            for name in example.told_names:
                if name in outside:
                    continue
                if name not in ids:
                    what = f"label '{name}' is none of the model's {len(self.labels)} labels"
                    hint = spellings.hint(name)
                    raise DataError(what, path=path, line=example.line, hint=hint)
                if self.labels[ids[name]] != name:
                    renamed[name] = self.labels[ids[name]]
        return spellings.renamed(renamed) + self._told_outside(examples, path=path)

    def _told_outside(self, examples: Sequence[TextExample], *, path: str) -> list[str]:
        """How many texts are out of scope. Raises DataError where all are."""
        if self.scope is None:
            return []
        count = sum(not ids for ids in self.gold_ids(examples))
        label = self.scope.label
        if count and count == len(examples):
            what = f"all {count:,} texts are labelled '{label}', out of scope"
            raise DataError(what, path=path, hint="add texts with the labels of the model")
        said = f"{counted(count, 'text')} labelled '{label}': out of scope, which is no label"
        return [said] if count else []

    def gold_ids(self, examples: Sequence[TextExample]) -> Sequence[list[int]]:
        """Label ids of each example; empty where it has none, or is out of scope."""
        return mapped(self._spellings.reader(), examples)

    @property
    def _spellings(self) -> Spellings:
        return Spellings(self.options, self.labels, self.scope)

    # --- model --------------------------------------------------------------------------------

    def fit(self, examples: Sequence[TextExample], pieces: Sequence[Pieces]) -> Classification:
        """With the scaling that makes gold most likely, and the threshold of texts out of scope;
        where several labels may be given also with the threshold of the highest micro F1, or that
        of each label's highest F1."""
        logits = np.array([_mean_logits(one) for one in pieces])  # [N, C]
        ids = self.gold_ids(examples)
        if not self.options.multi_label:
            inside = np.array([bool(one) for one in ids])  # [N]
            gold = np.array([one[0] for one in ids if one], dtype=np.int64)
            refused, scope = self.options.out_of_scope_refused, self.scope
            if scope is not None:
                scope = scope.fitted(logits, ~inside, refused=refused)
            return replace(self, scaling=Choices(logits[inside], gold).fit(), scope=scope)
        from bertft.evaluation.metrics import best_threshold, thresholds_by_label

        given = _multi_hot(ids, len(self.labels))  # [N, C]
        scaling = Events(logits, given).fit()
        task = replace(self, scaling=scaling)
        if self.options.threshold is not None:
            return task
        p = sigmoid(scaled(logits, scaling))
        one = best_threshold(p, given > 0)
        if one is None or self.options.thresholds == "one":
            return replace(task, chosen=one, by_label=())
        by_label = thresholds_by_label(p, given > 0, otherwise=one, least=TWICE)
        return replace(task, chosen=one, by_label=by_label)

    def _probabilities(self, logits: FloatArray) -> FloatArray:
        """[N, C] from logits [N, C]."""
        z = scaled(logits, self.scaling)
        return sigmoid(z) if self.options.multi_label else softmax(z)

    def head(self, examples: Sequence[TextExample]) -> Head:
        """The head, with the class weights of the training examples."""
        from bertft.heads.sequence import SequenceHead

        weights = None
        if self.options.class_weights == "balanced":
            counts = Counter(index for ids in self.gold_ids(examples) for index in ids)
            weights = tuple(self._weight(counts[i], len(examples)) for i in range(len(self.labels)))
        o = self.options
        return SequenceHead(self.labels, o.multi_label, weights, o.label_smoothing)

    def _weight(self, count: int, total: int) -> float:
        """N / (C * n_c) as in scikit-learn; for multi-label the negatives per positive."""
        if count == 0:
            return 1.0
        if self.options.multi_label:
            return (total - count) / count
        return total / (len(self.labels) * count)

    def encode(
        self,
        examples: Sequence[TextExample],
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
    ) -> Sequence[Encoded]:
        o = self.options
        rule = LongText(o.long_text, o.window_overlap)
        return encode_examples(
            examples,
            tokenizer,
            targets=self._targets(examples),
            pairs=o.pairs,
            max_length=max_length,
            rule=rule,
        )

    def remarks(self, examples: Sequence[TextExample], encoded: Sequence[Encoded]) -> list[str]:
        return []

    def readings(self, examples: Sequence[TextExample]) -> Sequence[Reading]:
        """Labels by their names, whatever the file calls them."""
        names, outside = self._spellings.names(), self._spellings.outside
        known: dict[tuple[str, ...], tuple[tuple[str, ...], frozenset[str]]] = {}

        def reading(one: TextExample) -> Reading:
            if (found := known.get(one.names)) is None:
                gold = tuple(names.get(name, name) for name in one.names)
                # What is out of scope is no label that could be rare, or lacking.
                found = () if outside & {*one.names} else gold, frozenset(gold)
                known[one.names] = found
            return Reading(one.texts, *found)

        return mapped(reading, examples)

    def findings(
        self, split: Split, tokenizer: PreTrainedTokenizerBase | None, *, max_length: int
    ) -> list[Finding]:
        """How far soft labels agree with the labels beside them."""
        names = self._spellings.names()
        told = [(row, one.beside) for row, one in enumerate(split.examples) if one.beside]
        gold = [split.examples[row].names for row, _ in told]
        said = [[frozenset(names.get(one, one) for one in labels) for labels in both]
                for both in (gold, [soft.names for _, soft in told])]  # fmt: skip
        return agreement(split, [row for row, _ in told], *said)

    def _targets(self, examples: Sequence[TextExample]) -> Sequence[int | list[float] | None]:
        gold = self.gold_ids(examples)
        has_outside = self.scope is not None and not all(gold)
        is_soft = has_outside or any(isinstance(example.gold, Soft) for example in examples)
        even = [1 / max(1, len(self.labels))] * len(self.labels)
        ids_of = self._spellings.reader()

        def target(example: TextExample) -> int | list[float] | None:
            if example.gold is None:
                return None
            if isinstance(example.gold, Soft):
                return self._shares(example.gold)
            ids = ids_of(example)
            if self.scope is not None and not ids:  # no label fits more than another
                return even
            if self.options.multi_label or is_soft:
                return [float(index in ids) for index in range(len(self.labels))]
            return ids[0]

        return mapped(target, examples)

    def _shares(self, gold: Soft) -> list[float]:
        """[C] what is learned of soft labels."""
        ids = self._spellings.ids()
        known = {name: p for name, p in gold.p.items() if name in ids}
        rest = 1 - sum(known.values()) if len(known) < len(gold.p) else 0.0  # out of scope
        shares = [rest / len(self.labels)] * len(self.labels)
        for name, p in known.items():
            shares[ids[name]] += p
        return shares

    # --- answers ------------------------------------------------------------------------------

    def decode(self, example: TextExample, pieces: Pieces, *, top_k: int | None = None) -> Answer:
        """Probabilities from the mean logits over the example's windows."""
        (answer,) = self.answers([example], [pieces], top_k=top_k)
        return answer

    def answers(
        self,
        examples: Sequence[TextExample],
        pieces: Sequence[Pieces],
        *,
        top_k: int | None = None,
    ) -> list[Answer]:
        """Of all examples as ``decode`` has them: arrays of many rows are much faster."""
        if not examples:
            return []
        logits = np.array([_mean_logits(one) for one in pieces])  # [N, C]
        p = self._probabilities(logits)  # [N, C]
        order = np.argsort(-p, axis=1, kind="stable")  # [N, C]
        names = np.array(self.labels, dtype=object)[order].tolist()
        ranked = np.take_along_axis(p, order, axis=1)  # [N, C]
        given = (ranked >= self.thresholds[order]).tolist() if self.options.multi_label else None
        outside = {} if self.scope is None else self.scope.fields(logits)
        found = []
        for row, (example, own, scores) in enumerate(
            zip(examples, names, ranked.tolist(), strict=True)
        ):
            answer: Answer = {"id": example.id, self.keys[0]: example.text}
            if example.pair is not None:
                answer[self.keys[1]] = example.pair
            if given is not None:
                answer["labels"] = list(compress(own, given[row]))
            else:
                answer["label"], answer["score"] = own[0], scores[0]
                answer |= {name: values[row] for name, values in outside.items()}
            answer["scores"] = dict(zip(own[:top_k], scores[:top_k], strict=True))
            answer["truncated"] = any(one.dropped > 0 for one, _ in pieces[row])
            found.append(answer)
        return found

    def soft(self, example: TextExample, pieces: Pieces) -> dict[str, float]:
        """The probability of each label."""
        scores: dict[str, float] = self.decode(example, pieces)["scores"]
        return scores

    def soft_row(self, example: TextExample, told: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        return soft_row(self.options, example, mean_labels(told))

    def gold(self, example: TextExample, answer: Answer, pieces: Pieces) -> dict[str, Any]:
        """Gold by name, and the loss: -log p(gold), or the mean binary cross-entropy; of a text out
        of scope the cross-entropy of even shares, which is what training minimizes."""
        (ids,) = self.gold_ids([example])
        judged: dict[str, Any]
        if self.options.multi_label:
            parts = [
                -math.log(max(p if self.labels.index(name) in ids else 1 - p, 1e-12))
                for name, p in answer["scores"].items()
            ]
            judged = {"gold": [self.labels[i] for i in ids], "loss": sum(parts) / len(parts)}
        elif self.scope is not None and not ids:
            parts = [-math.log(max(p, 1e-12)) for p in answer["scores"].values()]
            judged = {"gold": self.scope.label, "loss": sum(parts) / len(parts)}
        else:
            name = self.labels[ids[0]]
            judged = {"gold": name, "loss": -math.log(max(answer["scores"][name], 1e-12))}
        return judged | example.origin

    def evidence(
        self, answers: Sequence[Answer], golds: Sequence[Mapping[str, Any]]
    ) -> Evidence | None:
        ids = {name: index for index, name in enumerate(self.labels)}
        if self.scope is not None:  # no probability of a label can hold for a text out of scope
            inside = [one["gold"] in ids for one in golds]
            answers, golds = list(compress(answers, inside)), list(compress(golds, inside))
            if not golds:
                return None
        p = np.array([[one["scores"][name] for name in self.labels] for one in answers])  # [N, C]
        if self.options.multi_label:
            held = _multi_hot([[ids[name] for name in one["gold"]] for one in golds], len(ids))
            return events_of(p, held, scaling=self.scaling, kind="examples")
        return choices_of(p, [ids[one["gold"]] for one in golds], scaling=self.scaling)

    def regain(self, record: Mapping[str, Any]) -> TextExample:
        gold = record["gold"] if self.options.multi_label else [record["gold"]]
        text, pair = record[self.keys[0]], record.get(self.keys[1])
        return TextExample(record["id"], 0, text, pair, tuple(gold))

    def score(self, examples: Sequence[TextExample], answers: Sequence[Answer]) -> Scores:
        """Of labels; texts out of scope count in a table of their own alone."""
        from bertft.evaluation.scores import classification_scores

        index = {name: i for i, name in enumerate(self.labels)}
        gold = self.gold_ids(examples)
        given = [
            [index[name] for name in (a["labels"] if self.options.multi_label else [a["label"]])]
            for a in answers
        ]
        several = self.options.multi_label
        scores = classification_scores(gold, given, self.labels, multi_label=several)
        if self.scope is None:
            return scores
        right = np.array([a == b for a, b in zip(gold, given, strict=True)])
        found = figures(answers, gold, right)
        return replace(scores, tables=scores.tables | ({"out_of_scope": found} if found else {}))


def _mean_logits(pieces: Pieces) -> FloatArray:
    """[C] over an example's windows."""
    if len(pieces) == 1:
        return np.asarray(pieces[0][1], dtype=np.float64)
    logits = np.asarray([piece[1] for piece in pieces], dtype=np.float64)
    return np.asarray(logits.mean(axis=0))


def _multi_hot(ids: Sequence[Sequence[int]], classes: int) -> FloatArray:
    hot = np.zeros((len(ids), classes))  # [N, C]
    for row, chosen in enumerate(ids):
        hot[row, list(chosen)] = 1
    return hot
