"""What a data file is: a file in; the task that reads it, its examples and their labels out.

The file is read as training reads it, by one task after another, the most particular first: the
first one that takes nearly all rows, and whose labels make sense, is it. Read order: Look, look_at,
then the candidates in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from bertft.checks.finding import Split
from bertft.checks.findings import make_splits
from bertft.contracts import Task
from bertft.errors import BertftError, DataError, RecipeError
from bertft.loaders.column_names import LABEL, named
from bertft.loaders.columns import FEWEST
from bertft.loaders.files import STDIN, resolve
from bertft.loaders.pairs import QUESTIONS
from bertft.loaders.reading import SkippedRows
from bertft.loaders.rows import is_plain_text
from bertft.loaders.source import Meter, Source
from bertft.loaders.tables import open_table
from bertft.recipe import BUNDLED, HUB
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.label_cells import bit_columns

MOST_REFUSED = 0.1
"""Share of the rows that may be unusable in the right reading."""
HOPELESS = 200
"""Unusable rows, with hardly a usable one, after which a reading is given up."""
FEW_NUMBERS = 20
"""Whole numbers that may be labels rather than amounts."""
SHORT = 20
"""Characters of an answer on average, below which it is no passage."""
COVERED = 0.8
"""Share of a text's characters that entities do not reach: else the tags are labels of lines."""

Options = dict[str, Any]


@dataclass(slots=True)
class Look:
    """A file as a task reads it. ``first`` is the fault of the first row that was refused."""

    path: str
    options: Options
    task: Task[Any]
    examples: list[Any]
    meter: Meter
    refused: int = 0
    first: str = ""
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def split(self) -> Split:
        return make_splits(self.task, {"train": self.examples}, {"train": self.path})[0]

    @property
    def columns(self) -> dict[str, str | tuple[str, ...]]:
        return self.meter.roles

    @property
    def numbers(self) -> list[float]:
        """Gold that is a number to be predicted."""
        golds = (getattr(one, "gold", None) for one in self.examples)
        return [gold for gold in golds if isinstance(gold, float)]


Fits = Callable[[Look], bool]


def look_at(path: str, data: DataSettings, *, options: Options) -> Look:
    """The file as the task that fits it reads it; ``options`` are those that are asked for.

    Raises:
        DataError: the file cannot be read, or no task finds in it what it needs.
        RecipeError: the options fit no task.
    """
    _check_file(path, data)
    faults: dict[str, BertftError] = {}
    for candidate, fits in (*CANDIDATES, *_columns_of_bits(path, data)):
        try:
            found = _read(path, data, candidate | options)
        except (DataError, RecipeError) as error:
            if len(candidate) == 1:  # what the task says of the file, not one of its varieties
                faults[candidate["name"]] = error
            continue
        if fits(found):
            return found
    raise _most_telling(faults, path)


def _check_file(path: str, data: DataSettings) -> None:
    if path == STDIN or path.startswith((HUB, BUNDLED)):
        hint = "'bertft recipes list' names recipes for public data sets"
        raise DataError("init looks at a file of yours", path=path, hint=hint)
    if not Path(path).is_dir():  # a folder may be one of brat
        resolve(path)


def _read(path: str, data: DataSettings, options: Options) -> Look:
    task = make_task(options)
    rule = _FewBadRows()
    source = Source(path, data=data, bad_row=rule)
    examples = rule.examples
    for example in task.read(source):
        examples.append(example)
    if not examples:
        raise rule.fault or DataError("no usable rows", path=path, hint="add rows below the names")
    if rule.count > MOST_REFUSED * (rule.count + len(examples)):
        what = f"{rule.count:,} of {rule.count + len(examples):,} rows cannot be used"
        raise DataError(what, path=path, hint=f"the first: {rule.first}")
    task = task.learn_labels(examples, path=path)
    task.check(examples, path=path)
    found = Look(path, options, task, examples, source.meter, rule.count, rule.first)
    found.labels.update(name for one in found.split.readings for name in one.labels)
    return found


class _FewBadRows(SkippedRows):
    """Leaves rows out, until it is plain that a file is read wrongly."""

    def __init__(self) -> None:
        super().__init__()
        self.examples: list[Any] = []
        self.fault: DataError | None = None

    def __call__(self, error: DataError) -> None:
        super().__call__(error)
        self.fault = self.fault or error
        if self.count > HOPELESS and self.count > len(self.examples):
            raise self.fault


def _columns_of_bits(path: str, data: DataSettings) -> Iterable[tuple[Options, Fits]]:
    """One column of zeros and ones for each label, where a table has several of those."""
    source = Source(path, data=data)
    if Path(path).is_dir() or is_plain_text(source):
        return
    try:
        table = open_table(source)
        bits = bit_columns([row.fields for row in table.first], table.columns)
    except DataError:
        return
    if len(bits) > 1:
        yield {"name": "classification", "label_column": bits}, _anything


def _most_telling(faults: dict[str, BertftError], path: str) -> BertftError:
    """The fault of the reading that a file of this name is meant for."""
    suffix = PurePath(path.lower().removesuffix(".gz")).suffix
    if is_plain_text(Source(path, data=DataSettings())):
        hint = "give a table with texts and labels, or tagged words; bertft pretrain reads texts"
        return DataError("plain text has no labels to learn", path=path, hint=hint)
    meant = {".json": "qa", ".conll": "ner", ".bio": "ner"}.get(suffix, "classification")
    return faults.get(meant) or faults["classification"]


# --- candidates ---------------------------------------------------------------------------------


def _anything(found: Look) -> bool:
    return True


def _asks_for_passages(found: Look) -> bool:
    """Whether a table has questions and texts that answer them, and no labels."""
    columns, roles = found.meter.columns, found.columns
    named_so = roles.get("text_column") in named(columns, QUESTIONS[:-1])
    passages = [one.pair for one in found.examples]
    few = 2 * len(set(passages)) <= len(passages) and len(passages) >= FEWEST
    is_short = sum(map(len, passages)) < SHORT * len(passages)
    others = [name for name in columns if name not in roles.values()]
    return named_so and not is_short and not few and not named(others, LABEL)


def _has_plain_words(found: Look) -> bool:
    """Whether entities leave words untouched: tags of whole lines are labels."""
    size = sum(len(one.text) for one in found.examples)
    inside = sum(e.end - e.start for one in found.examples for e in one.entities or ())
    return bool(inside < COVERED * size)


def _is_amount(found: Look) -> bool:
    """Whether numbers are amounts: fractions, or more whole numbers than labels are."""
    values = set(found.numbers)
    if len(values) < 3:
        return False
    if not all(value.is_integer() for value in values):
        return True
    in_a_row = max(values) - min(values) + 1 == len(values)  # as numbers of labels are
    return len(values) > FEW_NUMBERS and not in_a_row


def _has_lists(found: Look) -> bool:
    return any(len(reading.labels) > 1 for reading in found.split.readings)


def _divides_labels(found: Look) -> bool:
    """Whether cells hold several labels each: their parts come back in other cells."""
    cells = {reading.labels for reading in found.split.readings}
    times = Counter(name for cell in cells for name in set(cell))
    return _has_lists(found) and max(times.values()) > 1 and len(times) <= len(cells)


def _several(separator: str) -> Options:
    return {"name": "classification", "multi_label": True, "label_separator": separator}


CANDIDATES: Sequence[tuple[Options, Fits]] = (
    ({"name": "qa"}, _anything),
    ({"name": "retrieval"}, _asks_for_passages),
    ({"name": "ner"}, _has_plain_words),
    ({"name": "nli"}, _anything),
    ({"name": "classification", "pairs": True, "regression": True}, _is_amount),
    ({"name": "classification", "pairs": True}, _anything),
    ({"name": "classification", "regression": True}, _is_amount),
    *((_several(separator), _divides_labels) for separator in "|;,"),
    ({"name": "classification"}, _anything),
    (_several("|"), _has_lists),
)
"""Options of a task, and what has to hold for them, beside that they read the file."""
