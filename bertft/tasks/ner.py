"""Entity tagging: texts go in, character spans with a type come out.

The model tags units in BIO: words by their first piece, or every piece (``label_pieces``). Gold and
answers are spans of the untouched text; tags exist only between here and the model. Read order:
options, task. Shape legend: U units of a text, C tags, L tokens of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from bertft.checks.entities import broken_tags, lost_entities, lost_words
from bertft.checks.finding import Finding, Reading, Split
from bertft.contracts import (
    IGNORED,
    Answer,
    Encoded,
    FloatArray,
    Head,
    Learned,
    OffsetArray,
    Pieces,
)
from bertft.encoder.pieces import Frame, TextPieces, chunks, cut_into_pieces, placed, windows_over
from bertft.errors import DataError, RecipeError, did_you_mean
from bertft.evaluation.calibration import Evidence, Scaling, calibrated, events_of
from bertft.evaluation.probabilities import log_softmax, softmax
from bertft.evaluation.statistic import Scores
from bertft.loaders.conll import TaggedText, read_tagged
from bertft.loaders.ids import id_of
from bertft.loaders.soft_tags import COLUMN, SoftTags, mean_tags
from bertft.loaders.source import Source
from bertft.loaders.tag_spelling import STANDARD
from bertft.loaders.tagged_rows import TEXT_COLUMNS, TagColumns, text_of
from bertft.recipe import parse_options, validate
from bertft.settings import Section
from bertft.spans import (
    Composed,
    Entity,
    compose,
    entities_to_tags,
    tags_to_entities,
    words_of,
)
from bertft.tasks import tagging
from bertft.tasks.edges import Edges, learn_edges

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 1024
TINY = 1e-12
"""Least probability whose logarithm is taken."""
WEIGHTS = (0.0, 0.25, 0.5, 1.0)
"""Weights of the learned transitions that are tried on dev."""


class NerOptions(Section):
    """The ``[task]`` table of an entity tagging recipe."""

    form: Literal["auto", "conll", "characters", "table"] = "auto"
    """How gold is written: word per line, character per line (KLUE), or rows with spans."""
    scheme: Literal["auto", "bio", "iob1", "bioes"] = "auto"
    """How the tags of such lines are meant; auto looks at the first sentences."""
    word_column: str | int = ""
    """Column of the words: its number from 1 (-1 is the last), or its name in a table. Empty: the
    first column that neither numbers the words nor is the same in a whole sentence."""
    tag_column: str | int = ""
    """Column of the tags, likewise. Empty: the last column that can hold tags."""
    offsets: Literal["characters", "inclusive", "from-1", "from-1-inclusive", "utf-16", "bytes"] = (
        "characters"
    )
    """What start and end of entities count: characters from 0, the end behind the last one;
    ``inclusive``: the end is the last one; ``from-1``: the first character is 1; ``utf-16``: units
    as in JavaScript; ``bytes``: of UTF-8."""
    label_pieces: Literal["first", "all"] = "first"
    """``first`` tags words by their first piece; ``all`` tags every piece, for languages whose
    entities end inside words (Korean particles)."""
    decoding: Literal["constrained", "greedy", "viterbi"] = "constrained"
    """``constrained`` takes the best valid BIO sequence; ``viterbi`` adds transition probabilities
    learned from dev; ``greedy`` takes each unit's best tag, valid or not."""
    window_overlap: int = Field(default=32, ge=0)
    """Pieces that neighbouring windows of a long text share."""
    character_scores: bool = False
    """Add KLUE's macro F1 over character tags."""


class LearnedEdges(Section):
    """What sticks to entities (edges.py)."""

    before: Sequence[str] = ()
    after: Sequence[str] = ()


class NerLearned(Section):
    """What training stores with the model."""

    edges: LearnedEdges = LearnedEdges()
    transitions: Sequence[Sequence[float]] = ()
    confidence: Sequence[float] = Field(default=(1.0, 0.0), min_length=2, max_length=2)


def from_options(settings: Mapping[str, Any]) -> Ner:
    """The task of a recipe's ``[task]`` table. Raises RecipeError for wrong options."""
    return Ner(parse_options(NerOptions, settings))


@dataclass(frozen=True, slots=True)
class Ner:
    """The task. ``labels`` are O, B-X and I-X for each type X, in the order of their ids."""

    options: NerOptions
    labels: tuple[str, ...] = ()
    transitions: tuple[tuple[float, ...], ...] = ()
    """[C + 1, C] learned for viterbi, forbidden steps included; () until then."""
    edges: Edges = field(default_factory=Edges)
    """What sticks to entities inside a unit without being part of them: Korean particles, say."""
    confidence: tuple[float, float] = (1.0, 0.0)
    """Platt scaling (a, b) of an entity's probability, fitted on dev."""
    name: str = "ner"
    metric: str = "f1"

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(label[2:] for label in self.labels if label.startswith("B-"))

    @property
    def learned(self) -> Learned:
        learned: Learned = {"edges": {"before": self.edges.before, "after": self.edges.after}}
        learned |= {"confidence": list(self.confidence)} if self.scaling else {}
        return learned | ({"transitions": self.transitions} if self.transitions else {})

    @property
    def scaling(self) -> Scaling:
        return () if self.confidence == (1.0, 0.0) else (self.confidence,)

    # --- reading ------------------------------------------------------------------------------

    def read(self, source: Source) -> Iterator[TaggedText]:
        o = self.options
        columns = TagColumns(str(o.word_column), str(o.tag_column), o.offsets)
        for one in read_tagged(source, scheme=o.scheme, form=o.form, columns=columns):
            if one.repaired:
                source.meter.repaired["tags that broke the BIO scheme are repaired"] += one.repaired
            yield one

    def example(self, record: str | Mapping[str, Any], *, id: str) -> TaggedText:
        if isinstance(record, str):
            record = {"text": record}
        if not any(name in record for name in TEXT_COLUMNS):
            raise DataError("no text to tag", hint='give a text, or {"text": ...}')
        return text_of(record, id=id_of(record) or id)

    # --- labels -------------------------------------------------------------------------------

    def bind(self, labels: Sequence[str], learned: Mapping[str, Any]) -> Ner:
        found = validate(NerLearned, learned, where="learned")
        rows = tuple(tuple(row) for row in found.transitions)
        if rows and [len(row) for row in rows] != [len(labels)] * (len(labels) + 1):
            raise RecipeError("learned: transitions: not a row of each label for each label")
        for label in labels:
            STANDARD.tag(label)
        edges = Edges(tuple(found.edges.before), tuple(found.edges.after))
        confidence = (found.confidence[0], found.confidence[1])
        return replace(self, labels=tuple(labels), transitions=rows, edges=edges,
                       confidence=confidence)  # fmt: skip

    def learn_labels(self, examples: Sequence[TaggedText], *, path: str) -> Ner:
        """O, then B- and I- of each type found, by name. Raises DataError without any entity."""
        types = sorted({name for one in examples for name in one.types})
        if not types:
            raise DataError("no text has an entity", path=path, hint="add tagged texts")
        return self.bind(["O", *(f"{part}-{name}" for name in types for part in "BI")], {})

    def check(self, examples: Sequence[TaggedText], *, path: str) -> list[str]:
        known = set(self.types)
        for example in examples:
            for name in sorted(example.types):
                if name not in known:
                    what = f"entity type '{name}' is none of the model's {len(known)} types"
                    hint = did_you_mean(name, self.types)
                    if hint.startswith("did"):
                        hint += " Types: " + ", ".join(self.types[:12])
                    raise DataError(what, path=path, line=example.line, hint=hint)
        return []

    def fit(self, examples: Sequence[TaggedText], pieces: Sequence[Pieces]) -> Ner:
        """Edges of the dev entities; with ``viterbi`` also transitions, at the best weight; and
        confidence (was the entity exactly right?)."""
        texts = []
        for example, parts in zip(examples, pieces, strict=True):
            composed = compose(example.text)
            units, _ = tagging.merge_windows(parts)
            texts.append((composed.text, self._composed_gold(example, composed), units))
        task = replace(self, edges=learn_edges(texts), confidence=(1.0, 0.0))
        if self.options.decoding == "viterbi":
            task = task._fit_transitions(examples, pieces)
        answers = [task.decode(*pair) for pair in zip(examples, pieces, strict=True)]
        golds = [{"gold": _as_spans(example.entities or ())} for example in examples]
        (confidence,) = task.evidence(answers, golds).fit() or ((1.0, 0.0),)
        return replace(task, confidence=confidence)

    def _fit_transitions(self, examples: Sequence[TaggedText], pieces: Sequence[Pieces]) -> Ner:
        learned = tagging.learned_transitions(
            [tagging.gold_tags(one) for one in pieces], self.labels
        )
        allowed = tagging.allowed_transitions(self.labels)
        tried = []
        for weight in WEIGHTS:
            rows = np.maximum(allowed + weight * learned, tagging.NEVER).tolist()
            task = replace(self, transitions=tuple(tuple(row) for row in rows))
            answers = [task.decode(*pair) for pair in zip(examples, pieces, strict=True)]
            tried.append((task.score(examples, answers).values[self.metric], -weight, task))
        return max(tried, key=lambda one: one[:2])[2]

    # --- model --------------------------------------------------------------------------------

    def head(self, examples: Sequence[TaggedText]) -> Head:
        from bertft.heads.token import TokenHead

        return TokenHead(self.labels)

    def encode(
        self,
        examples: Sequence[TaggedText],
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
    ) -> list[Encoded]:
        frame = Frame.of(tokenizer)
        encoded: list[Encoded] = []
        for some in chunks([len(one.text) for one in examples], most=CHUNK):
            chunk = examples[some.start : some.stop]
            composed = [compose(example.text) for example in chunk]
            texts = cut_into_pieces([one.text for one in composed], tokenizer)
            for index, example in enumerate(chunk):
                encoded += self._windows(
                    example,
                    composed[index],
                    texts[index],
                    frame,
                    number=some.start + index,
                    max_length=max_length,
                )
        return encoded

    def _windows(
        self,
        example: TaggedText,
        composed: Composed,
        pieces: TextPieces,
        frame: Frame,
        *,
        number: int,
        max_length: int,
    ) -> Iterator[Encoded]:
        """Windows of one text; offsets are in the composed text and mark the units."""
        units = self._units(example, composed, pieces)  # [P, 2]
        tags = self._tags(example, composed, units)
        soft, before = None, np.cumsum(units[:, 1] > units[:, 0])  # [P]
        if tags is not None and example.soft is not None:
            carried = units[units[:, 1] > units[:, 0]]
            soft = example.soft.composed(composed).rows(carried, self.labels)  # [U, C]
        room = max_length - frame.single_specials
        for window in windows_over(len(pieces), room=room, overlap=self.options.window_overlap):
            ids, kinds, first = frame.single(pieces, window)
            target = None
            if tags is not None:
                after = len(ids) - first - len(window)
                part = tags[window.start : window.stop]
                target = [IGNORED] * first + part + [IGNORED] * after
            offsets = placed(units[window.start : window.stop], first=first, length=len(ids))
            own = None
            if soft is not None and len(window):
                start = before[window.start - 1] if window.start else 0
                own = soft[start : before[window.stop - 1]]
            yield Encoded(ids, kinds, number, target, offsets, soft=own)

    def _units(self, example: TaggedText, composed: Composed, pieces: TextPieces) -> OffsetArray:
        """[P, 2] the unit that each piece carries the tag of; (0, 0) for none."""
        if self.options.label_pieces == "all" or not len(pieces):
            return _apart(pieces.offsets)
        if example.words is None:
            return tagging.word_units(words_of(composed.text), pieces.offsets)
        words = [composed.composed(*word) for word in example.words]
        return tagging.word_units(words, pieces.offsets)

    def _tags(
        self, example: TaggedText, composed: Composed, units: OffsetArray
    ) -> list[int] | None:
        """Tag ids of all pieces, IGNORED where they carry no unit; None without gold or labels."""
        if example.entities is None or not self.labels:
            return None
        ids = {label: index for index, label in enumerate(self.labels)}
        tags = [IGNORED] * len(units)
        carrying = np.flatnonzero(units[:, 1] > units[:, 0])
        entities = self._composed_gold(example, composed)
        spans = [(int(start), int(end)) for start, end in units[carrying]]
        for place, tag in zip(carrying, entities_to_tags(entities, spans), strict=True):
            tags[int(place)] = ids[tag]
        return tags

    @staticmethod
    def _composed_gold(example: TaggedText, composed: Composed) -> list[Entity]:
        gold = example.entities or ()
        spans = [composed.composed(one.start, one.end) for one in gold]
        return [
            replace(one, start=start, end=end)
            for one, (start, end) in zip(gold, spans, strict=True)
        ]

    def remarks(self, examples: Sequence[TaggedText], encoded: Sequence[Encoded]) -> list[str]:
        """Entities whose tags do not give them back: they begin or end inside a unit."""
        lost = len(self.lost_entities(examples, encoded))
        if not lost:
            return []
        total = sum(len(example.entities or ()) for example in examples)
        what = "words" if self.options.label_pieces == "first" else "pieces"
        hint = "what sticks to them is learned from dev"
        hint += ' (task.label_pieces = "all" is finer)' if what == "words" else ""
        return [f"{lost} of {total} entities do not begin and end where {what} do: {hint}"]

    def lost_entities(
        self, examples: Sequence[TaggedText], encoded: Sequence[Encoded]
    ) -> list[tuple[int, Entity]]:
        """(example, entity) where gold tags do not give the entity back; spans of the input."""
        windows: dict[int, list[Encoded]] = {}
        for one in encoded:
            windows.setdefault(one.example, []).append(one)
        lost = []
        for number, parts in windows.items():
            example = examples[number]
            composed = compose(example.text)
            units, tags = tagging.merge_windows([(one, np.asarray(one.target)) for one in parts])
            found = set(self._entities([int(tag) for tag in tags], units, composed.text))
            gold = self._composed_gold(example, composed)
            pairs = zip(example.entities or (), gold, strict=True)
            lost += [(number, entity) for entity, one in pairs if one not in found]
        return lost

    # --- checks -------------------------------------------------------------------------------

    def readings(self, examples: Sequence[TaggedText]) -> list[Reading]:
        return [
            Reading(
                (one.text,),
                tuple(entity.label for entity in one.entities or ()),
                frozenset(
                    f"{e.label} '{one.text[e.start : e.end]}' ({e.start})"
                    for e in one.entities or ()
                ),
            )
            for one in examples
        ]

    def findings(
        self, split: Split, tokenizer: PreTrainedTokenizerBase | None, *, max_length: int
    ) -> list[Finding]:
        """Tags that break their scheme; entities and words that tokens do not give back."""
        findings = list(broken_tags(split))
        if tokenizer is None:
            return findings

        def lost(part: Sequence[TaggedText]) -> list[tuple[int, Entity]]:
            return self.lost_entities(part, self.encode(part, tokenizer, max_length=max_length))

        by_piece = self.options.label_pieces == "all"
        if self.labels:
            findings += lost_entities(split, lost, by_piece=by_piece)
        return findings + list(lost_words(split, tokenizer))

    # --- answers ------------------------------------------------------------------------------

    def decode(self, example: TaggedText, pieces: Pieces, *, top_k: int | None = None) -> Answer:
        """Entities with their probability: the geometric mean over their units, calibrated."""
        units, rows = tagging.merge_windows(pieces)
        answer: Answer = {"id": example.id, "text": example.text, "entities": []}
        if not len(units):
            return answer
        composed = compose(example.text)
        scores = log_softmax(rows)  # [U, C]
        tags = self._decide(scores)
        chosen = scores[np.arange(len(tags)), tags]  # [U]
        for one in self._entities(tags, units, composed.text):
            inside = (units[:, 0] < one.end) & (units[:, 1] > one.start)
            start, end = composed.original(one.start, one.end)
            found = {"start": start, "end": end, "text": example.text[start:end]}
            score = float(np.exp(chosen[inside].mean()))
            if self.scaling:
                score = float(calibrated(score, *self.confidence))
            found |= {"label": one.label, "score": score}
            answer["entities"].append(found | ({"repaired": True} if one.repaired else {}))
        return answer

    def _decide(self, scores: FloatArray) -> list[int]:
        best = [int(tag) for tag in scores.argmax(axis=1)]
        if self.options.decoding == "greedy":
            return best
        if self.options.decoding == "viterbi" and self.transitions:
            return tagging.best_path(scores, np.asarray(self.transitions))
        allowed = tagging.allowed_transitions(self.labels)
        # The best of all sequences, if valid, is the best of the valid ones.
        return best if tagging.is_valid(best, allowed) else tagging.best_path(scores, allowed)

    def _entities(self, tags: Sequence[int], units: OffsetArray, text: str) -> list[Entity]:
        """Entities in characters of the composed text, without what sticks to them."""
        spans = [(int(start), int(end)) for start, end in units]
        found = tags_to_entities([self.labels[tag] for tag in tags], spans)
        return [self.edges.trim(one, text, units) for one in found]

    def gold(self, example: TaggedText, answer: Answer, pieces: Pieces) -> dict[str, Any]:
        """Gold spans, and the mean of -log p(gold tag) over the units."""
        _, rows = tagging.merge_windows(pieces)
        gold = _as_spans(example.entities or ())
        if not len(rows):
            return {"gold": gold, "loss": 0.0}
        tags = tagging.gold_tags(pieces)
        scores = log_softmax(rows)[np.arange(len(tags)), tags]  # [U]
        return {"gold": gold, "loss": -float(scores.mean())}

    def soft(self, example: TaggedText, pieces: Pieces) -> SoftTags:
        """The probabilities of the tags of all units."""
        units, rows = tagging.merge_windows(pieces)
        composed = compose(example.text)
        spans = [composed.original(int(start), int(end)) for start, end in units]
        p = softmax(rows) if len(rows) else rows
        return SoftTags(self.labels, np.array(spans, dtype=np.int32).reshape(-1, 2), p)

    def soft_row(self, example: TaggedText, told: Sequence[SoftTags]) -> dict[str, Any]:
        soft = mean_tags(told)
        entities: list[Entity] = []
        if len(soft.units):
            composed = compose(example.text)
            units = soft.composed(composed).units
            tags = self._decide(np.log(np.maximum(soft.p, TINY)))
            for one in self._entities(tags, units, composed.text):
                start, end = composed.original(one.start, one.end)
                entities.append(Entity(start, end, one.label))
        return {"text": example.text, "entities": _as_spans(entities), COLUMN: soft.content()}

    def evidence(self, answers: Sequence[Answer], golds: Sequence[Mapping[str, Any]]) -> Evidence:
        p, right = [], []
        for answer, gold in zip(answers, golds, strict=True):
            spans = {(one["start"], one["end"], one["label"]) for one in gold["gold"]}
            p += [one["score"] for one in answer["entities"]]
            right += [
                (one["start"], one["end"], one["label"]) in spans for one in answer["entities"]
            ]
        return events_of(p, right, scaling=self.scaling, kind="predicted entities")

    def regain(self, record: Mapping[str, Any]) -> TaggedText:
        gold = tuple(Entity(one["start"], one["end"], one["label"]) for one in record["gold"])
        return TaggedText(record["id"], 0, record["text"], None, gold)

    def score(self, examples: Sequence[TaggedText], answers: Sequence[Answer]) -> Scores:
        from bertft.evaluation.scores import entity_scores

        given = [
            [
                Entity(one["start"], one["end"], one["label"], one.get("repaired", False))
                for one in answer["entities"]
            ]
            for answer in answers
        ]
        gold = [one.entities or () for one in examples]
        if not self.options.character_scores:
            return entity_scores(gold, given, types=self.types)
        # KLUE's score leaves out spaces.
        spaces = [[i for i, c in enumerate(one.text) if c == " "] for one in examples]
        lengths = [len(one.text) for one in examples]
        return entity_scores(gold, given, types=self.types, lengths=lengths, left_out=spaces)


def _as_spans(entities: Sequence[Entity]) -> list[dict[str, Any]]:
    return [{"start": one.start, "end": one.end, "label": one.label} for one in entities]


def _apart(offsets: OffsetArray) -> OffsetArray:
    """[P, 2] without what begins inside a piece before it: bytes after the first of a character."""
    found = offsets.copy()
    found[1:][offsets[1:, 0] < np.maximum.accumulate(offsets[:, 1])[:-1]] = 0
    return found
