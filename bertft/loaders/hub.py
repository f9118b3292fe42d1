"""Rows out of Arrow data: data sets of the Hugging Face Hub, and Parquet files.

In: ``hub:owner/name[@revision][:config][:split]``, or the path of a Parquet file. Out: a Table; its
lines are row numbers. Class labels are given by name. Only data files are read, never code: data
sets that need a script are refused by ``datasets``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bertft.errors import DataError, did_you_mean
from bertft.loaders import Row, Table
from bertft.loaders.files import STDIN, resolve
from bertft.loaders.json_text import read_json_text
from bertft.loaders.source import BadRow, Source
from bertft.recipe import HUB

SPLITS = ("train", "validation", "valid", "dev", "test")
"""A single part after the name is a split when it is one of these, otherwise a config."""
LOCAL = "give local files with --train/--dev/--test"
BATCH = 1000

Naming = Callable[[Any], Any]
"""Turns the label numbers in a value into names."""

_UNFIT = (ValueError, IndexError, OverflowError, NotImplementedError)
"""What Arrow raises for values that Python cannot hold: bytes that are no text, a year 60000."""
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
_OFF: ContextVar[bool] = ContextVar("hub_is_off", default=False)
_COMMIT = re.compile(r"hf://datasets/[^@]+@([0-9a-f]{40})/")


@dataclass(frozen=True, slots=True)
class HubName:
    """The parts of a ``hub:`` path; "" where one is not given."""

    owner_name: str
    config: str = ""
    split: str = ""
    revision: str = ""


def parse_hub(path: str) -> HubName:
    """The parts of ``hub:owner/name[@revision][:config][:split]``. Raises DataError."""
    name, *parts = path.removeprefix(HUB).split(":")
    name, at, revision = name.partition("@")
    form = "write it as hub:owner/name[:config][:split], as in hub:nyu-mll/glue:sst2:train"
    if not path.startswith(HUB) or not _NAME.fullmatch(name) or ".." in name:
        raise DataError("not the name of a Hub data set", path=path, hint=form)
    if len(parts) > 2 or any("/" in part for part in parts) or (at and not revision):
        raise DataError("not of the form hub:owner/name[:config][:split]", path=path, hint=form)
    if len(parts) == 1 and parts[0] in SPLITS:
        parts.insert(0, "")
    config, split = [*parts, "", ""][:2]
    return HubName(owner_name=name, config=config, split=split, revision=revision)


def read_hub(source: Source) -> Table:
    """The rows of one split of a Hub data set, class labels by name."""
    hub = parse_hub(source.path)
    data = _pick_split(_load(hub, path=source.path), hub=hub, path=source.path)
    rows = _ArrowRows(
        batches=data.with_format("arrow").iter(batch_size=BATCH),
        total=len(data),
        path=source.path,
        bad_row=source.bad_row,
        naming=_namings(data.features.to_dict()),
    )
    return Table(
        path=source.path,
        columns=tuple(data.column_names),
        rows=iter(rows),
        fraction=rows.fraction,
        revision=_revision(data, hub=hub, path=source.path),
    )


def read_parquet(source: Source) -> Table:
    """The rows of a Parquet file, a batch in memory at a time."""
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

    path = source.path
    if path == STDIN:
        raise DataError(
            "Parquet cannot be read from a pipe", path="stdin", hint="save it to a file"
        )
    try:
        file = pq.ParquetFile(resolve(path))
        columns = tuple(file.schema_arrow.names)
    except (pa.ArrowException, OSError, *_UNFIT) as error:
        raise DataError(f"not a whole Parquet file ({_short(error)})", path=path) from None
    if len(set(columns)) < len(columns):
        raise DataError("two columns have the same name", path=path, hint=", ".join(columns))
    total = file.metadata.num_rows
    batches = file.iter_batches(batch_size=BATCH)
    naming = _namings(_features_of(file.schema_arrow.metadata))
    naming = {column: name for column, name in naming.items() if column in columns}
    rows = _ArrowRows(
        batches=batches, total=total, path=path, bad_row=source.bad_row, naming=naming
    )
    return Table(path=path, columns=columns, rows=iter(rows), fraction=rows.fraction)


class _ArrowRows:
    """Rows of Arrow batches; ``naming`` turns label numbers of some columns into names."""

    def __init__(
        self,
        *,
        batches: Iterator[Any],
        total: int,
        path: str,
        bad_row: BadRow,
        naming: dict[str, Naming],
    ) -> None:
        self._batches = batches
        self._total = total
        self._path = path
        self._bad_row = bad_row
        self._naming = naming
        self._done = 0

    def fraction(self) -> float:
        """Share of the rows read so far."""
        return self._done / self._total if self._total else 1.0

    def __iter__(self) -> Iterator[Row]:
        while (batch := self._next_batch()) is not None:
            try:
                rows = self._fields(batch)
            except _UNFIT:
                yield from self._one_by_one(batch)
                continue
            for fields in rows:
                self._done += 1
                yield Row(fields, self._done)

    def _next_batch(self) -> Any:
        import pyarrow as pa

        try:
            return next(self._batches, None)
        except (pa.ArrowException, OSError, *_UNFIT) as error:
            reason = f"damaged ({_short(error)})"
            raise DataError(reason, path=self._path, line=self._done + 1) from None

    def _fields(self, batch: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = batch.to_pylist()
        for column, name in self._naming.items():
            for fields in rows:
                fields[column] = name(fields[column])
        return rows

    def _one_by_one(self, batch: Any) -> Iterator[Row]:
        for index in range(batch.num_rows):
            self._done += 1
            try:
                fields = self._fields(batch.slice(index, 1))[0]
            except _UNFIT as error:
                fault = "not UTF-8 text" if isinstance(error, UnicodeError) else _short(error)
                self._bad_row(DataError(fault, path=self._path, line=self._done))
            else:
                yield Row(fields, self._done)


def _naming(feature: Any) -> Naming | None:
    """What turns the label numbers inside a feature's values into names; None without labels.

    ``feature`` is as ``datasets`` writes it to JSON: an object with ``_type``, or of features.
    """
    if isinstance(feature, list):
        return _naming(feature[0]) if len(feature) == 1 else None
    if not isinstance(feature, dict):
        return None
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list):
        return partial(_each, name=partial(_name_of, names=names))
    if "_type" in feature:
        return _naming(feature.get("feature"))
    parts = {key: part for key in feature if (part := _naming(feature[key]))}
    return partial(_each, name=partial(_name_parts, parts=parts)) if parts else None


def _each(value: Any, *, name: Naming) -> Any:
    """``name`` of a value, or of all values in lists of it."""
    return [_each(one, name=name) for one in value] if isinstance(value, list) else name(value)


def _name_of(value: Any, *, names: list[str]) -> Any:
    """The name of a label number; None below 0, where there is no label. ValueError for others."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    if value % 1 or value >= len(names):
        raise ValueError(f"the label {value} is none of the file's {len(names)} label names")
    return names[int(value)] if value >= 0 else None


def _name_parts(value: Any, *, parts: dict[str, Naming]) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: parts[key](part) if key in parts else part for key, part in value.items()}


def _features_of(metadata: Any) -> dict[str, Any]:
    """The features that ``datasets`` wrote into a file's metadata; {} where there are none."""
    try:
        found = read_json_text((metadata or {})[b"huggingface"].decode())["info"]["features"]
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _namings(features: dict[str, Any]) -> dict[str, Naming]:
    """Column -> what names its labels, for columns that hold some."""
    return {column: name for column in features if (name := _naming(features[column]))}


def _load(hub: HubName, *, path: str) -> Any:
    """All splits of a data set, from the Hub or its cache; never from a local folder."""
    import datasets
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES  # type: ignore[import-untyped, unused-ignore]

    # datasets 4 and 5 prefer a local folder, and take "csv" and the like for readers of files in
    # the working directory; delete both tests when load_dataset can be told to ask the Hub only.
    if hub.owner_name in _PACKAGED_DATASETS_MODULES:
        raise DataError("the owner of the data set is missing", path=path, hint="hub:OWNER/NAME")
    if Path(hub.owner_name).exists():
        hint = "work in another folder, or leave out 'hub:' and name the files in it"
        raise DataError(f"there is a local folder {hub.owner_name}", path=path, hint=hint)
    try:
        with _silent(), _cache_only():
            return datasets.load_dataset(
                hub.owner_name, hub.config or None, revision=hub.revision or None
            )
    except Exception as error:  # datasets, httpx and fsspec raise an open set of types here
        raise _failure(error, hub=hub, path=path) from error


@contextmanager
def hub_is_off(*, off: bool) -> Iterator[None]:
    """What is read inside comes from the cache if ``off``; else as the environment says."""
    before = _OFF.set(off or _OFF.get())
    try:
        yield
    finally:
        _OFF.reset(before)


@contextmanager
def _cache_only() -> Iterator[None]:
    """Inside ``hub_is_off``: tell the libraries, which read their environment once, on import."""
    if not _OFF.get():
        yield
        return
    from datasets import config
    from huggingface_hub import constants

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


@contextmanager
def _silent() -> Iterator[None]:
    """No progress bars of ``datasets``: only the console writes to the terminal."""
    import datasets

    if datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()


def _failure(error: Exception, *, hub: HubName, path: str) -> DataError:
    """One line that says why a data set cannot be had."""
    from datasets.exceptions import DatasetNotFoundError  # type: ignore[import-untyped, unused-ignore]

    if isinstance(error, DatasetNotFoundError):
        hint = "check the name; a gated one needs 'hf auth login'"
        return DataError(_short(error), path=path, hint=hint)
    if isinstance(error, ValueError) and "onfig" in str(error):
        hint = f"name a config: hub:{hub.owner_name}:CONFIG:SPLIT"
        return DataError(_short(error), path=path, hint=hint)
    cause: BaseException | None = error
    while cause:
        package = type(cause).__module__.partition(".")[0]
        if isinstance(cause, ConnectionError | TimeoutError) or package in ("httpx", "httpcore"):
            reason = f"the data set {hub.owner_name} could not be fetched from the Hugging Face Hub"
            return DataError(f"{reason} (offline, or not reachable)", path=path, hint=LOCAL)
        cause = cause.__cause__ or cause.__context__
    reason = f"the data set {hub.owner_name} could not be loaded ({_short(error)})"
    return DataError(reason, path=path, hint=LOCAL)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def _pick_split(splits: Any, *, hub: HubName, path: str) -> Any:
    names = list(splits)
    if hub.split in names:
        return splits[hub.split]
    if not hub.split and len(names) == 1:
        return splits[names[0]]
    start = f"{HUB}{hub.owner_name}{'@' if hub.revision else ''}{hub.revision}:{hub.config}"
    hint = f"name one, as in {start}:{names[0]}" if names else LOCAL
    wanted = f"no split '{hub.split}'" if hub.split else "no split is named"
    if hub.split and names:
        hint = did_you_mean(hub.split, names)
    raise DataError(f"{wanted}; it has: {', '.join(names)}", path=path, hint=hint)


def _revision(data: Any, *, hub: HubName, path: str) -> str:
    """The commit that the files came from. An offline cache of another commit is refused."""
    files = " ".join(data.info.download_checksums or {})
    found = _COMMIT.search(files)
    commit = found.group(1) if found else ""
    if commit and re.fullmatch("[0-9a-f]{40}", hub.revision) and commit != hub.revision:
        reason = f"the cache holds commit {commit}, not {hub.revision}"
        raise DataError(reason, path=path, hint="connect to the Hub, or name the cached commit")
    return commit
