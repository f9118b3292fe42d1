"""What predict is asked for: the options of a command line in, formats and places out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from bertft.commands.predict_parts import Into
from bertft.errors import BertftError, did_you_mean
from bertft.prediction.certainty import Certainty
from bertft.prediction.formats import FORMATS as LINES
from bertft.prediction.output import BINARY
from bertft.prediction.parts import ROWS, Shard
from bertft.reports.entities_page import entities_page

FORMATS = LINES | {"html": entities_page}
"""Those that are text; beside them those of ``BINARY``."""
ENTITY_FORMATS = {"conll", "html"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """What ``bertft predict`` is asked for: files, or texts themselves."""

    files: tuple[str, ...]
    run: str = ""
    beside: tuple[str, ...] = ()
    """More runs that answer the same texts."""
    out: str = ""
    format: str = ""
    input_format: str = ""
    top_k: int | None = None
    certainty: Certainty = field(default_factory=Certainty)
    whole_file: bool = False
    question: str = ""
    overwrite: bool = False
    shard: str = ""
    part_rows: int | None = None
    overrides: tuple[str, ...] = ()
    on_bad_row: str = ""
    device: str = "auto"
    precision: str = "auto"

    @property
    def in_parts(self) -> bool:
        """Whether the answers go into a folder."""
        asked = bool(self.shard or self.part_rows)
        if asked and not self.out:
            raise BertftError("--shard and --part-rows need --out FOLDER/")
        is_folder = self.out.endswith("/") or Path(self.out or "-").is_dir()
        return asked or is_folder


def output_format(request: PredictRequest) -> str:
    """The format asked for, else that of the output file's suffix, else jsonl."""
    suffix = "" if request.in_parts else Path(request.out).suffix.lower().removeprefix(".")
    form = request.format or suffix or "jsonl"
    names = [*FORMATS, *BINARY]
    if form not in names:
        where = "--format" if request.format else f"--out {request.out}"
        raise BertftError(f"{where}: no output format '{form}'", hint=did_you_mean(form, names))
    if form in BINARY and not request.out:
        raise BertftError(f"{form} needs a file", hint=f"add --out answers.{form}")
    return form


def into_folder(request: PredictRequest, form: str) -> Into:
    """The folder of answers that is asked for."""
    options = {
        "top_k": request.top_k,
        "certainty": asdict(request.certainty),
        "settings": list(request.overrides),
        "on_bad_row": request.on_bad_row,
        "whole_file": request.whole_file,
    }
    return Into(
        out=request.out,
        form=form,
        formats=FORMATS,
        options=options,
        shard=Shard.parse(request.shard) if request.shard else Shard(),
        rows=request.part_rows or ROWS,
        overwrite=request.overwrite,
    )
