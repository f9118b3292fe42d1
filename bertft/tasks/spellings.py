"""How files may spell the labels of a model: a spelling goes in, the label's id comes out.

Spellings are the names, in any canonical form of theirs, then aliases (``task.label_aliases``),
then the numbers of declared names (``task.label_names``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bertft.errors import did_you_mean
from bertft.tasks.classification_options import ClassificationOptions
from bertft.tasks.label_names import canonical, natural_order
from bertft.tasks.scope import Scope
from bertft.tasks.text_rows import TextExample

LISTED = 12
"""Labels that a hint names."""


@dataclass(frozen=True, slots=True)
class Spellings:
    """Of ``labels``, in the order of their ids, and of the label that means out of ``scope``."""

    options: ClassificationOptions
    labels: tuple[str, ...]
    scope: Scope | None

    @property
    def outside(self) -> frozenset[str]:
        """Spellings of the label that means out of scope, as ``ids`` has those of labels."""
        if self.scope is None:
            return frozenset()
        o, name = self.options, self.scope.label
        aliases = [alias for alias, label in o.label_aliases.items() if label == name]
        numbers = [str(number) for number, label in enumerate(o.label_names) if label == name]
        return frozenset([name, canonical(name), *aliases, *numbers])

    def ids(self) -> dict[str, int]:
        """Spelling -> label id: names first, then aliases, then declared numbers."""
        ids = {name: index for index, name in enumerate(self.labels)}
        for name in self.labels:
            ids.setdefault(canonical(name), ids[name])
        for alias, name in self.options.label_aliases.items():
            if name in ids:
                ids.setdefault(alias, ids[name])
        for number, name in enumerate(self.options.label_names):
            if name in ids:  # the numbers are those of this file, whatever the model's order is
                ids.setdefault(str(number), ids[name])
        return ids

    def names(self) -> dict[str, str]:
        """Spelling -> the label's name."""
        return {spelling: self.labels[index] for spelling, index in self.ids().items()}

    def reader(self) -> Callable[[TextExample], list[int]]:
        """What tells the label ids of an example, in order: none where it has no label, or one that
        means out of scope. For many examples: what their labels are is found out once."""
        ids, outside = self.ids(), self.outside
        known: dict[tuple[str, ...], list[int]] = {}

        def ids_of(example: TextExample) -> list[int]:
            names = example.names
            if (found := known.get(names)) is None:
                found = sorted(ids[name] for name in names if name not in outside)
                known[names] = found
            return found

        return ids_of

    def renamed(self, labels: Mapping[str, str]) -> list[str]:
        """What options make of the labels of a file (spelling -> name), a line for each option."""
        aliased = {one: name for one, name in labels.items() if one in self.options.label_aliases}
        declared = {one: name for one, name in labels.items() if one not in aliased}
        return _told("label_aliases", aliased) + _told("label_names", declared)

    def hint(self, name: str) -> str:
        """What to do about a label that is none of these."""
        listed = ", ".join(self.labels[:LISTED]) + ", ..." * (len(self.labels) > LISTED)
        if name.isdecimal() and not any(label.isdecimal() for label in self.labels):
            names = ", ".join(f'"{label}"' for label in self.labels[:3])
            names += ", ..." * (len(self.labels) > 3)
            start = "say what 0, 1, ... mean, in their order, with"
            return f"{start} --set 'task.label_names=[{names}]'. Labels: {listed}"
        alias = f"""name it with --set 'task.label_aliases={{"{name}" = "LABEL"}}'"""
        hint = did_you_mean(name, self.labels)
        return f"{hint if hint.startswith('did') else ''} {alias}. Labels: {listed}".strip()


def _told(option: str, labels: Mapping[str, str]) -> list[str]:
    shown = [f"{one} as {labels[one]}" for one in sorted(labels, key=natural_order)]
    more = f", ... ({len(shown)})" if len(shown) > 6 else ""
    return [f"labels are read by task.{option}: {', '.join(shown[:6])}{more}"] if shown else []
