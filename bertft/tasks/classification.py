"""Classification: rows with a text (or two) and a label go in, label + probability come out.

Binary, multi-class, multi-label (several labels per text) and sentence pairs. Read order: options,
example, task. Shape legend: C labels.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from transformers import PreTrainedTokenizerBase

from bertft.contracts import Answer, Encoded, FloatArray, Head, Scores, Source
from bertft.errors import DataError, RecipeError, did_you_mean
from bertft.heads.sequence import SequenceHead
from bertft.loaders.rows import pick_column, read_rows
from bertft.recipe import DataSettings, Section, parse_options
from bertft.tasks.long_text import LongText, encode_texts

TEXT_COLUMNS = (
    "text", "sentence", "document", "review", "content", "comment", "utterance", "query",
    "sentence1", "premise", "question1", "text_a", "question",
)  # fmt: skip
PAIR_COLUMNS = ("text_pair", "sentence2", "hypothesis", "question2", "text_b")
LABEL_COLUMNS = (
    "label", "labels", "category", "intent", "class", "sentiment", "emotion", "target",
    "gold_label",
)  # fmt: skip


class ClassificationOptions(Section):
    """The ``[task]`` table of a classification recipe."""

    text_column: str = ""
    """Column of the text; empty looks for text, sentence, document, review, ..."""
    pair_column: str = ""
    """Column of the second text, for sentence pairs."""
    pairs: bool = False
    """True when each row holds two texts (also implied by ``pair_column``)."""
    label_column: str = ""
    """Column of the label; empty looks for label, labels, category, intent, ..."""
    label_names: list[str] = Field(default_factory=list)
    """All labels in the order of their ids, where the data hold numbers; empty learns them."""
    label_aliases: dict[str, str] = Field(default_factory=dict)
    """Other spellings of labels, e.g. 0 = "negative"; used only if they cover all labels found."""
    multi_label: bool = False
    """True when a text may have several labels, or none."""
    label_separator: str = "|"
    """Between the labels of one text, in files whose cells are text."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Multi-label: a label is given when its probability reaches this."""
    class_weights: Literal["none", "balanced"] = "none"
    """``balanced`` weighs each class by N / (C * its count)."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    long_text: Literal["truncate", "head_tail", "windows"] = "truncate"
    """Texts over max_length: keep the start, keep start and end, or pool over several windows."""
    window_overlap: int = Field(default=32, ge=0)
    """Tokens that neighbouring windows share."""


@dataclass(frozen=True, slots=True)
class TextExample:
    """One text, or a pair of texts; ``gold`` holds label names as the file spells them."""

    id: str
    line: int
    text: str
    pair: str | None = None
    gold: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """The task. ``labels`` is empty until ``bind`` or ``learn_labels``."""

    options: ClassificationOptions
    labels: tuple[str, ...] = ()
    name: ClassVar[str] = "classification"

    @classmethod
    def from_options(cls, settings: Mapping[str, Any]) -> Classification:
        options = parse_options(ClassificationOptions, settings)
        names = [_normal(name) for name in options.label_names]
        if twice := [name for name in names if names.count(name) > 1]:
            raise RecipeError(f"[task]: label_names has '{twice[0]}' twice", hint="leave one out")
        aliases = {_normal(key): _normal(name) for key, name in options.label_aliases.items()}
        pairs = options.pairs or bool(options.pair_column)
        changes = {"label_names": names, "label_aliases": aliases, "pairs": pairs}
        options = options.model_copy(update=changes)
        if options.pairs and options.long_text != "truncate":
            hint = "pairs are truncated from the longer text"
            raise RecipeError(
                f"[task]: long_text = '{options.long_text}' needs single texts", hint=hint
            )
        return cls(options)

    @property
    def metric(self) -> str:
        return "micro_f1" if self.options.multi_label else "accuracy"

    # --- reading ------------------------------------------------------------------------------

    def read(self, source: Source) -> Iterator[TextExample]:
        """Examples in file order. Raises DataError with file and line."""
        table = read_rows(source)
        columns = self._columns(table.columns, source)
        for row in table:
            try:
                yield self._example(row.fields, columns, line=row.line, source=source)
            except DataError as error:
                source.bad_row(error)

    def _columns(self, found: Sequence[str], source: Source) -> tuple[str, str | None, str | None]:
        """(text, pair, label) columns of this file."""
        o, path = self.options, source.path
        # Plain text has one column of its own name, whatever those of the training data were.
        wanted = "" if not source.gold and tuple(found) == ("text",) else o.text_column
        text = pick_column(found, wanted, TEXT_COLUMNS, what="text", path=path)
        pair = label = None
        if o.pairs:
            pair = pick_column(
                found, o.pair_column, PAIR_COLUMNS, what="pair", path=path, taken=(text,)
            )
        if source.gold:
            taken = (text, pair)
            label = pick_column(
                found, o.label_column, LABEL_COLUMNS, what="label", path=path, taken=taken
            )
        return text, pair, label

    def _example(
        self,
        fields: Mapping[str, Any],
        columns: tuple[str, str | None, str | None],
        *,
        line: int,
        source: Source,
        id: str = "",
    ) -> TextExample:
        """One row; ``id`` serves where it has none of its own, else the line number."""
        text_column, pair_column, label_column = columns
        try:
            text = _text(fields, text_column, required=source.gold)
            pair = None if pair_column is None else _text(fields, pair_column, required=source.gold)
            gold = None if label_column is None else self._gold(fields.get(label_column))
        except ValueError as error:
            raise DataError(str(error), path=source.path, line=line, hint=SKIP_HINT) from None
        identity = fields.get("id", fields.get("idx"))
        name = (id or str(line)) if identity is None else str(identity)
        return TextExample(name, line, text, pair, gold)

    def _gold(self, value: Any) -> tuple[str, ...]:
        """Label names of one cell, in the file's spelling. Raises ValueError when there is none."""
        if self.options.multi_label:
            if value is None:
                return ()
            if isinstance(value, str):
                value = [part.strip() for part in value.split(self.options.label_separator)]
                value = [part for part in value if part]
            parts = value if isinstance(value, (list, tuple, np.ndarray)) else [value]
            return tuple(dict.fromkeys(_label(part) for part in parts))
        if isinstance(value, (list, tuple, np.ndarray)):
            raise ValueError(
                "the label is a list; for several labels per text set task.multi_label=true"
            )
        return (_label(value),)

    def example(self, record: str | Mapping[str, Any], *, id: str) -> TextExample:
        if isinstance(record, str):
            if self.options.pairs:
                raise DataError(
                    "this model compares two texts", hint='give {"text": ..., "text_pair": ...}'
                )
            return TextExample(id, 0, record)
        source = Source("<input>", data=_NO_DATA, gold=False)
        columns = self._columns(tuple(record), source)
        return self._example(record, columns, line=0, source=source, id=id)

    # --- labels -------------------------------------------------------------------------------

    def bind(self, labels: Sequence[str]) -> Classification:
        return replace(self, labels=tuple(labels))

    def learn_labels(self, examples: Sequence[TextExample], *, path: str) -> Classification:
        """Label names from the recipe, or from the data: sorted, numbers by value.

        Raises:
            DataError: the labels leave nothing to learn.
        """
        found = {name for example in examples for name in example.gold or ()}
        aliases = self.options.label_aliases
        names = found
        if aliases and found <= set(aliases) | set(aliases.values()):
            names = {aliases.get(name, name) for name in found}
        bound = self.bind(self.options.label_names or sorted(names, key=_natural))
        used = {bound._ids().get(name) for name in found}
        if not used:
            raise DataError("no row has a label", path=path, hint="add labelled rows")
        if len(used) < 2 and None not in used and not self.options.multi_label:
            what = f"all rows have the same label ({min(found)})"
            raise DataError(what, path=path, hint="add rows with another label")
        return bound

    def check(self, examples: Sequence[TextExample], *, path: str) -> None:
        ids = self._ids()
        for example in examples:
            for name in example.gold or ():
                if name not in ids:
                    hint = did_you_mean(name, self.labels)
                    if hint.startswith("did"):
                        hint += " Labels: " + ", ".join(self.labels[:12])
                        hint += ", ..." * (len(self.labels) > 12)
                    what = f"label '{name}' is none of the model's {len(self.labels)} labels"
                    raise DataError(what, path=path, line=example.line, hint=hint)

    def _ids(self) -> dict[str, int]:
        """Spelling -> label id: names first, then aliases, then declared numbers."""
        ids = {name: index for index, name in enumerate(self.labels)}
        for alias, name in self.options.label_aliases.items():
            if name in ids:
                ids.setdefault(alias, ids[name])
        if self.options.label_names:
            for index in range(len(self.labels)):
                ids.setdefault(str(index), index)
        return ids

    def gold_ids(self, examples: Sequence[TextExample]) -> list[list[int]]:
        """Label ids of each example; empty where it has none."""
        ids = self._ids()
        return [sorted(ids[name] for name in example.gold or ()) for example in examples]

    # --- model --------------------------------------------------------------------------------

    def head(self, examples: Sequence[TextExample]) -> Head:
        """The head, with the class weights of the training examples."""
        counts = Counter(index for ids in self.gold_ids(examples) for index in ids)
        weights = None
        if self.options.class_weights == "balanced":
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
    ) -> list[Encoded]:
        texts = [unicodedata.normalize("NFC", example.text) for example in examples]
        pairs = None
        if self.options.pairs:
            pairs = [unicodedata.normalize("NFC", example.pair or "") for example in examples]
        rule = LongText(self.options.long_text, self.options.window_overlap)
        targets = self._targets(examples)
        encoded = encode_texts(texts, pairs, tokenizer, max_length=max_length, rule=rule)
        return [replace(one, target=targets[one.example]) for one in encoded]

    def _targets(self, examples: Sequence[TextExample]) -> list[int | list[float] | None]:
        targets: list[int | list[float] | None] = []
        for example, ids in zip(examples, self.gold_ids(examples), strict=True):
            if example.gold is None:
                targets.append(None)
            elif self.options.multi_label:
                targets.append([float(index in ids) for index in range(len(self.labels))])
            else:
                targets.append(ids[0])
        return targets

    # --- answers ------------------------------------------------------------------------------

    def decode(
        self,
        example: TextExample,
        pieces: Sequence[tuple[Encoded, FloatArray]],
        *,
        top_k: int | None = None,
    ) -> Answer:
        """Probabilities from the mean logits over the example's windows."""
        logits = np.asarray([piece[1] for piece in pieces], dtype=np.float64).mean(axis=0)  # [C]
        p = _sigmoid(logits) if self.options.multi_label else _softmax(logits)
        order = np.argsort(-p, kind="stable")
        answer: Answer = {"id": example.id, "text": example.text}
        if example.pair is not None:
            answer["text_pair"] = example.pair
        if self.options.multi_label:
            given = [int(i) for i in order if p[i] >= self.options.threshold]
            answer["labels"] = [self.labels[i] for i in given]
        else:
            answer["label"] = self.labels[int(order[0])]
            answer["score"] = float(p[order[0]])
        answer["scores"] = {self.labels[i]: float(p[i]) for i in order[:top_k]}
        answer["truncated"] = any(piece[0].dropped > 0 for piece in pieces)
        return answer

    def gold(self, example: TextExample, answer: Answer) -> dict[str, Any]:
        """Gold by name, and the loss: -log p(gold), or the mean binary cross-entropy."""
        (ids,) = self.gold_ids([example])
        if self.options.multi_label:
            parts = [
                -math.log(max(p if self.labels.index(name) in ids else 1 - p, 1e-12))
                for name, p in answer["scores"].items()
            ]
            return {"gold": [self.labels[i] for i in ids], "loss": sum(parts) / len(parts)}
        name = self.labels[ids[0]]
        return {"gold": name, "loss": -math.log(max(answer["scores"][name], 1e-12))}

    def regain(self, record: Mapping[str, Any]) -> TextExample:
        gold = record["gold"] if self.options.multi_label else [record["gold"]]
        return TextExample(record["id"], 0, record["text"], record.get("text_pair"), tuple(gold))

    def score(self, examples: Sequence[TextExample], answers: Sequence[Answer]) -> Scores:
        from bertft.evaluation.scores import classification_scores

        index = {name: i for i, name in enumerate(self.labels)}
        gold = self.gold_ids(examples)
        given = [
            [index[name] for name in (a["labels"] if self.options.multi_label else [a["label"]])]
            for a in answers
        ]
        return classification_scores(gold, given, self.labels, multi_label=self.options.multi_label)


_NO_DATA = DataSettings()
SKIP_HINT = "mend the row, or leave such rows out with --on-bad-row skip"


def _text(fields: Mapping[str, Any], column: str, *, required: bool) -> str:
    value = fields.get(column)
    if isinstance(value, (list, dict)):
        raise ValueError(f"the text (column '{column}') is a {type(value).__name__}, not text")
    if value is None or isinstance(value, float):
        value = "" if value is None or math.isnan(value) else str(value)
    text = value if isinstance(value, str) else str(value)
    if required and not text.strip():
        raise ValueError(f"the text (column '{column}') is empty")
    return text


def _label(value: Any) -> str:
    """A label cell as its name: 1, 1.0 and "1" are the same label."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise ValueError("the label is missing")
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    name = str(value).strip()
    if not name:
        raise ValueError("the label is missing")
    return _normal(name)


def _normal(name: str) -> str:
    """One spelling for what looks the same: composed characters (NFC)."""
    return unicodedata.normalize("NFC", name)


def _natural(name: str) -> tuple[Any, ...]:
    """Sort key: whole numbers by value and before names, names by code point."""
    return (0, int(name), name) if re.fullmatch(r"-?[0-9]{1,18}", name) else (1, 0, name)


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
