"""push: the model of a run goes up to the Hugging Face Hub; data and predictions never do.

What goes up is what saving put into best/: its manifest names the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.encoder.find import is_offline
from bertft.errors import RunError, first_line
from bertft.runs.folder import Run, model_folder, open_run
from bertft.runs.stored import read_card
from bertft.training.folders import MANIFEST, verify_folder
from bertft.watch import Silent, Watch

CARD = "README.md"
TOKEN = "hf auth login, or set HF_TOKEN"
SAID = {
    401: ("the Hub does not know the token", TOKEN),
    403: ("the token may not write to {repo}", "use a token with write access to its owner"),
    404: ("the Hub knows no owner of {repo}, or hides it", "check the name and the token"),
    409: ("{repo} exists already", "choose another name, or --update for a new commit there"),
}
"""HTTP status -> what it means here, and what to do."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """``files`` with their sizes, the model card, and where it is; no ``url`` for a dry run."""

    folder: Path
    repo: str
    files: dict[str, int]
    card: str
    url: str = ""


def push(
    run: str,
    repo: str,
    *,
    private: bool = False,
    update: bool = False,
    dry_run: bool = False,
    watch: Watch | None = None,
) -> Pushed:
    """Create ``repo`` (OWNER/NAME) on the Hub and put the model of a run there.

    Raises:
        RunError: the run, the name or the token is at fault, or the Hub refuses.
    """
    watch = watch or Silent()
    _check_name(repo)
    found = open_run(run)
    folder = model_folder(found)
    verify_folder(folder)
    files = _files(folder, watch=watch)
    _tell_places(found, watch=watch)
    card = (folder / CARD).read_text(encoding="utf-8") if CARD in files else ""
    pushed = Pushed(folder, repo, files, card)
    if dry_run:
        return pushed
    return Pushed(folder, repo, files, card, _upload(pushed, private=private, update=update))


def _check_name(repo: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    hint = "as in bertft push runs/demo OWNER/NAME"
    if repo.count("/") != 1:
        raise RunError(f"'{repo}' is no name of a model on the Hub", hint=hint)
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise RunError(f"'{repo}': {first_line(error)}", hint=hint) from None


def _files(folder: Path, *, watch: Watch) -> dict[str, int]:
    """Name and size of what goes up; what else lies there is told, and stays."""
    named = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    names = [*sorted(named), MANIFEST]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for name in sorted(there - {*names}):
        watch.note(f"{folder / name} is no part of the model and stays here")
    return {name: (folder / name).stat().st_size for name in names}


def _tell_places(run: Run, *, watch: Watch) -> None:
    """A folder of this machine that the files name is told before all can read it."""
    name = str(read_card(model_folder(run)).get("encoder", {}).get("name", ""))
    if Path(name).is_absolute():
        watch.note(f"bertft.json names the folder of the encoder: {name}")


def _upload(pushed: Pushed, *, private: bool, update: bool) -> str:
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if is_offline():
        raise RunError("the Hub is switched off (HF_HUB_OFFLINE)", hint="unset it to push")
    if not get_token():
        raise RunError("there is no token for the Hugging Face Hub", hint=TOKEN)
    disable_progress_bars()
    api = HfApi(library_name="bertft")
    with _refusals_told(pushed.repo):
        url = api.create_repo(pushed.repo, private=private, exist_ok=update)
        api.upload_folder(
            repo_id=pushed.repo,
            folder_path=pushed.folder,
            allow_patterns=list(pushed.files),
            commit_message="Model trained with bertft",
        )
    return str(url)


@contextmanager
def _refusals_told(repo: str) -> Iterator[None]:
    """Turn what the Hub, or the way to it, answers into one line.

    Raises:
        RunError: it does not take the model.
    """
    try:
        yield
    except Exception as error:  # every HTTP client raises its own connection errors
        response: Any = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if status in SAID:
            said, hint = SAID[status]
            raise RunError(said.format(repo=repo), hint=hint) from error
        if status is not None:
            reason = f"the Hub refused {repo} (HTTP {status}: {first_line(error)})"
            raise RunError(reason, hint="try again later") from error
        package = type(error).__module__.partition(".")[0]
        if isinstance(error, OSError) or package in ("httpx", "httpx2", "httpcore", "requests"):
            reason = f"the Hub cannot be reached ({first_line(error)})"
            raise RunError(reason, hint="check the connection, then push again") from error
        raise
