"""Whatever ends a training before its time, told in one line: what, where the run stands, what now.

Signals, a full disk, a folder that cannot be written or has gone, memory that is used up, a loss
that is no number: an exception of any kind goes in, one of errors.py comes out.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertft.errors import BertftError, Interrupted, RunError, TrainingError
from bertft.runs.signals import raised_signals
from bertft.training.folders import STATE, saved_folders

NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
WAYS_OUT = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
}


@contextmanager
def stops_told(run: Path | None) -> Iterator[None]:
    """Turn what ends the block into an error of one line; ``run`` is None while there is none.

    Raises:
        Interrupted: a signal came where there was no step to finish.
        RunError: a file could not be written or read.
        TrainingError: the loss is no number, or memory is used up.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        number = stop.args[0] if stop.args else signal.SIGINT
        name = signal.Signals(number).name
        ending = f"; {_way_on(run)}" if run else " before training began; nothing was written"
        raise Interrupted(f"stopped by {name}{ending}", signal_number=number) from None
    except TrainingError as error:
        if run is None:
            raise
        raise TrainingError(f"{error.message}; {standing(run)}", hint=error.hint) from error
    except (BertftError, BrokenPipeError):  # a pipe: nobody reads what is said
        raise
    except OSError as error:
        raise _file_trouble(error, run) from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not NO_MEMORY.search(str(error)):
            raise
        where = f"; {standing(run)}" if run else ""
        raise TrainingError(f"memory is used up{where}", hint=_less_memory()) from error


@contextmanager
def stops_told_of_all(go_on: str) -> Iterator[None]:
    """Of several runs in one block: a signal ends it, and ``go_on`` says how all of them go on.

    Raises:
        Interrupted: a signal came, in a run or between two.
    """
    try:
        with raised_signals():
            yield
    except (KeyboardInterrupt, Interrupted) as stop:
        number = stop.exit_code - 128 if isinstance(stop, Interrupted) else stop.args[0]
        message = f"stopped by {signal.Signals(number).name}; go on with: {go_on}"
        raise Interrupted(message, signal_number=number) from None


def standing(run: Path) -> str:
    """Where a run stands: its newest checkpoint."""
    for folder in saved_folders(run / "last"):
        try:
            saved = json.loads((folder / STATE).read_text(encoding="utf-8"))
            return f"the last good checkpoint is that of step {saved['progress']['step']}, {folder}"
        except (OSError, ValueError, KeyError):
            continue
    return f"{run} has no checkpoint any more"


def _file_trouble(error: OSError, run: Path | None) -> RunError:
    """What is wrong with which file."""
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    name = error.filename or run
    what = f"{name}: {reason}" if name else reason
    way_out = WAYS_OUT.get(error.errno or 0, "")
    if run is None:
        return RunError(what, hint=way_out)
    if not saved_folders(run / "last"):
        return RunError(f"{what}; {standing(run)}", hint="train anew")
    hint = f"{way_out or 'fix that'}, then {_way_on(run)}"
    return RunError(f"{what}; {standing(run)}", hint=hint)


def _way_on(run: Path) -> str:
    return f"go on with: bertft train --resume {run}"


def _less_memory() -> str:
    same = "lower training.batch_size and raise training.gradient_accumulation by the same factor"
    return f"{same}, or lower model.max_length, or set training.gradient_checkpointing=true"
