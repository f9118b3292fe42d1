"""A recipe for a data file: a Look in, the settings with the reason of each, as TOML, out.

    Look -> language -> encoder -> lengths -> Proposal -> text

Read order: Proposal, propose, then one function for each section of the recipe.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from bertft.checks.language import language_of
from bertft.jobs.lengths import Lengths, measure
from bertft.jobs.look import Look
from bertft.settings import DataSettings
from bertft.words import counted

LANGUAGES = {
    "en": ("English", "minilm", "it reads English and comes with the installation"),
    "ko": ("Korean", "multilingual-e5-small", "small, and reads Korean"),
    "ko+en": ("Korean and English", "multilingual-e5-small", "small, and reads both"),
    "other": ("neither English nor Korean", "multilingual-e5-small", "small; some 100 languages"),
}
"""Language -> its name, an encoder, and what speaks for that."""
STEP, PASSAGES = 32, 384
"""Lengths go in steps; questions about passages need room."""
FEW_DEV = 300
"""Dev rows that are too few to choose between epochs."""
MANY_LABELS = 100
"""Labels that are not written out."""
UNEVEN = 10
"""Times that the most frequent label may outnumber the rarest."""

Line = tuple[str, str, Any]
"""The reason, the key and the value of a setting; a key of "" for a reason alone."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a file is, and the sections of a recipe for it."""

    look: Look
    language: str
    lengths: Lengths
    encoder: str
    sections: dict[str, list[Line]]

    @property
    def what(self) -> str:
        return what_it_is(self.look)

    @property
    def columns(self) -> list[str]:
        """``text: review`` and so on, where a table has columns to choose from."""
        named = self.look.columns.items()
        shown = ((what, name if isinstance(name, str) else ", ".join(name)) for what, name in named)
        return [f"{what.removesuffix('_column')}: {name}" for what, name in shown]

    def to_toml(self, name: str) -> str:
        """The recipe as it is written to the file ``name``."""
        head = (
            f"bertft train {name}\n\nMade from {self.look.path} by bertft init: {self.what}. "
            "Each setting has its reason above it; change what you know better."
        )
        parts = [_comment(head), *_setting("description", f"{self.what}; made by bertft init")]
        for section, lines in self.sections.items():
            parts.append(f"\n[{section}]")
            for reason, key, value in lines:
                parts += [_comment(reason)] * bool(reason) + (_setting(key, value) if key else [])
        return "\n".join(parts) + "\n"


def propose(look: Look, data: DataSettings, *, model: str = "", offline: bool = False) -> Proposal:
    """The recipe that suits a file; ``model`` is an encoder that is asked for."""
    split = look.split
    language = language_of([text for reading in split.readings for text in reading.texts])
    splits = _other_splits(look.path)
    encoder: Line = ("the encoder that was asked for", "name", model)
    if not model:
        name, model, reason = LANGUAGES[language]
        encoder = (f"the texts are {name}; {model}: {reason}", "name", model)
    lengths = measure(split, model=model, language=language, offline=offline)
    rows = len(look.examples)
    dev_rows = FEW_DEV if "dev" in splits else round(_share(rows) * rows)
    sections = {
        "model": [encoder, _max_length(look, lengths)],
        "task": [*_task(look, lengths), *_of_language(look, language), *_labels(look)],
        "data": _data(look, data, splits),
        "training": _training(look, dev_rows),
    }
    return Proposal(look, LANGUAGES[language][0], lengths, model, sections)


def what_it_is(look: Look) -> str:
    """The task in words."""
    options = look.options
    texts = "pairs of texts" if options.get("pairs") else "texts"
    if look.task.name == "classification":
        if options.get("regression"):
            return f"a number for {texts}"
        several = ", several for a text" if _is_several(look) else ""
        return f"classification of {texts} into {len(look.task.labels)} labels{several}"
    return {
        "qa": "questions about passages",
        "ner": "entities in texts",
        "nli": "inference",
        "retrieval": "questions and the passages that answer them",
    }[look.task.name]


def _is_several(look: Look) -> bool:
    return bool(
        look.options.get("multi_label") or isinstance(look.options.get("label_column"), list)
    )


# --- the file ---------------------------------------------------------------------------------


def _other_splits(path: str) -> dict[str, str]:
    """dev and test files that stand beside a file with "train" in its name."""
    file, found = Path(path), dict[str, str]()
    if "train" not in file.name:
        return found
    for split, names in (("dev", ("dev", "valid", "validation", "val")), ("test", ("test",))):
        for name in names:
            other = file.with_name(file.name.replace("train", name))
            if split not in found and other.is_file():
                found[split] = str(other)
    return found


def _share(rows: int) -> float:
    return 0.2 if rows < 1000 else 0.1 if rows < 50_000 else 0.05


# --- sections -----------------------------------------------------------------------------------


def _max_length(look: Look, lengths: Lengths) -> Line:
    reason = f"lengths: {lengths}"
    if look.task.name == "qa":
        return (
            f"{reason}; longer passages are read in windows",
            "max_length",
            min(PASSAGES, lengths.limit),
        )
    needed = max(STEP, -(-lengths.most // STEP) * STEP)
    cut = "the rest is read in windows" if look.task.name == "ner" else "longer texts are cut"
    if _has_windows(look, lengths):
        cut = "longer texts are read in windows (task.long_text)"
    told = f"{reason}; {cut}" if lengths.longest > min(needed, lengths.limit) else reason
    return told, "max_length", min(needed, lengths.limit)


def _has_windows(look: Look, lengths: Lengths) -> bool:
    is_single = look.task.name == "classification" and not look.options.get("pairs")
    return is_single and lengths.most > lengths.limit


def _task(look: Look, lengths: Lengths) -> list[Line]:
    options = look.options | {k: v for k, v in look.columns.items() if isinstance(v, str)}
    name = options.pop("name")
    lines: list[Line] = [(what_it_is(look), "name", name)]
    if not options.get("multi_label"):
        options.pop("label_separator", None)
    reasons = {"text_column": "columns of the file", "regression": _numbers(look)}
    reasons["multi_label"] = "a text may have several labels, divided by label_separator"
    if isinstance(options.get("label_column"), list):
        reasons["label_column"] = f"a column of 0 and 1 for each label: {_counts(look)}"
    lines += [(reasons.get(key, ""), key, value) for key, value in options.items()]
    if _has_windows(look, lengths):
        lines.append(
            (f"1 text in 100 has more than {lengths.limit} tokens", "long_text", "windows")
        )
    return lines


def _of_language(look: Look, language: str) -> list[Line]:
    """What Korean text needs otherwise; nothing that was asked for is changed."""
    wanted: dict[str, Line] = {
        "qa": ("answers in Korean are compared by characters", "scoring", "korquad"),
        "ner": ("particles stick to names: all pieces of a word learn", "label_pieces", "all"),
    }
    line = wanted.get(look.task.name)
    return [line] if line and language == "ko" and line[1] not in look.options else []


def _labels(look: Look) -> list[Line]:
    labels = look.task.labels
    if not look.labels:
        return []
    if look.task.name != "classification" or isinstance(look.options.get("label_column"), list):
        return [(f"labels: {_counts(look)}", "", None)]
    reason, key = f"labels: {_counts(look)}", "label_names"
    if all(label.isdecimal() for label in labels):
        reason += '; name them, in their order, with label_names = ["NAME OF THE FIRST", ...]'
        key = ""
    elif len(labels) > MANY_LABELS:
        reason, key = f"{reason}; they are learned from the file", ""
    if "label_names" in look.options:
        key = ""
    lines: list[Line] = [(reason, key, list(labels))]
    most, least = max(look.labels.values()), min(look.labels.values())
    if most > UNEVEN * least and not _is_several(look):
        times = f"the most frequent label has {most / least:.0f} times the rows of the rarest"
        lines.append((f'{times}; class_weights = "balanced" gives rare ones more weight', "", None))
    return lines


def _counts(look: Look) -> str:
    shown = [f"{label} {count:,}" for label, count in look.labels.most_common(12)]
    return ", ".join(shown) + f", ... ({len(look.labels)})" * (len(look.labels) > 12)


def _numbers(look: Look) -> str:
    values = look.numbers
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"the labels are numbers, {low:g} to {high:g}, mean {sum(values) / len(values):.4g}"


def _data(look: Look, data: DataSettings, splits: dict[str, str]) -> list[Line]:
    rows = len(look.examples)
    lines: list[Line] = [
        (f"{counted(rows, 'row')}; the path is as it was given", "train", look.path)
    ]
    lines += [(f"{split} data stand beside it", split, path) for split, path in splits.items()]
    if "dev" not in splits:
        share = _share(rows)
        held = (
            f"no dev file: {counted(max(1, round(share * rows)), 'row')} of {rows:,} are held out"
        )
        lines.append((f"{held} to choose the best weights", "dev_share", share))
    given = data.model_dump(exclude_defaults=True)
    lines += [("as asked for", key, value) for key, value in given.items() if key != "on_bad_row"]
    if look.refused:
        reason = f"{counted(look.refused, 'row')} cannot be used; the first: {look.first}"
        lines.append((reason, "on_bad_row", "skip"))
    return lines + [(f"the file is {note}", "", None) for note in look.meter.notes]


def _training(look: Look, dev_rows: int) -> list[Line]:
    rows, is_class = len(look.examples), look.task.name == "classification"
    steps = ((1_000, 12 if is_class else 20), (5_000, 6), (50_000, 3))
    epochs = next((epochs for most, epochs in steps if rows < most), 2)
    size = "few" if rows < 1_000 else "many" if rows >= 50_000 else "some"
    why = f"{size} rows: each is seen {epochs} times"
    batch = 8 if look.task.name in ("ner", "qa") else 16 if rows < 50_000 else 32
    lines: list[Line] = [
        (why, "epochs", epochs),
        ("", "batch_size", batch),
        ("small encoders take larger steps than the usual 5e-5", "learning_rate", 1e-4),
    ]
    if look.task.name == "retrieval":
        learned_from = "pairs; each question learns from the passages of all others of its batch"
        lines = [
            ("an encoder knows texts already: few rounds", "epochs", min(epochs, 3)),
            (learned_from, "batch_size", 32),
            ("and small steps", "learning_rate", 2e-5),
        ]
    if dev_rows < FEW_DEV:
        reason = f"{counted(max(1, dev_rows), 'dev row')}: too few to choose between epochs"
        lines.append((reason, "keep", "last"))
    return lines


# --- writing ------------------------------------------------------------------------------------


def _setting(key: str, value: Any) -> list[str]:
    return [tomli_w.dumps({key: value}).rstrip("\n")]


def _comment(text: str) -> str:
    """Lines that begin with #, whatever a text holds."""
    lines = []
    for paragraph in text.split("\n"):
        plain = "".join(c if c.isprintable() else " " for c in paragraph)
        lines += textwrap.wrap(plain, 98, break_on_hyphens=False) or [""]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def place_of(path: str) -> Path:
    """Where the recipe of a file is written: beside it, with its name."""
    file = Path(path)
    name = file.name if file.is_dir() else Path(file.name.removesuffix(".gz")).stem
    return file.with_name(f"{name}.toml")
