"""Rows of data sets of the Hugging Face Hub.

In: ``hub:owner/name[@revision][:config][:split]``. Out: a Table; its lines are row numbers. Class
labels are given by name. Only data files are read, never code: data sets that need a script are
refused by ``datasets``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.errors import DataError, did_you_mean
from bertft.loaders import Table
from bertft.loaders.arrow import BATCH, ArrowRows, namings, told_short
from bertft.loaders.source import Source
from bertft.recipe import HUB

SPLITS = ("train", "validation", "valid", "dev", "test")
"""A single part after the name is a split when it is one of these, otherwise a config."""
LOCAL = "give local files with --train/--dev/--test"


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
    rows = ArrowRows(
        batches=data.with_format("arrow").iter(batch_size=BATCH),
        total=len(data),
        path=source.path,
        bad_row=source.bad_row,
        naming=namings(data.features.to_dict()),
    )
    return Table(
        path=source.path,
        columns=tuple(data.column_names),
        rows=iter(rows),
        fraction=rows.fraction,
        revision=_revision(data, hub=hub, path=source.path),
    )


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
        return DataError(told_short(error), path=path, hint=hint)
    if isinstance(error, ValueError) and "onfig" in str(error):
        hint = f"name a config: hub:{hub.owner_name}:CONFIG:SPLIT"
        return DataError(told_short(error), path=path, hint=hint)
    cause: BaseException | None = error
    while cause:
        package = type(cause).__module__.partition(".")[0]
        if isinstance(cause, ConnectionError | TimeoutError) or package in ("httpx", "httpcore"):
            reason = f"the data set {hub.owner_name} could not be fetched from the Hugging Face Hub"
            return DataError(f"{reason} (offline, or not reachable)", path=path, hint=LOCAL)
        cause = cause.__cause__ or cause.__context__
    reason = f"the data set {hub.owner_name} could not be loaded ({told_short(error)})"
    return DataError(reason, path=path, hint=LOCAL)


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
