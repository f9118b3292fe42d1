"""What ``bertft suggest`` is asked for; torch is not needed to say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertft.errors import BertftError, did_you_mean
from bertft.prediction.output import check_writable

FORMATS = ("csv", "tsv", "xlsx", "doccano", "label-studio")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestRequest:
    """Files of texts without labels; ``run`` is what learned from those with labels so far.

    ``labelled`` are files whose texts are left out, beside those of the run. Without a run,
    ``model`` names the encoder whose vectors tell texts apart.
    """

    files: tuple[str, ...]
    run: str = ""
    model: str = ""
    count: int = 50
    labelled: tuple[str, ...] = ()
    out: str = ""
    format: str = ""
    overwrite: bool = False
    seed: int = 0
    overrides: tuple[str, ...] = ()
    on_bad_row: str = ""
    device: str = "auto"
    precision: str = "auto"
    offline: bool = False

    def check(self) -> None:
        """Raise BertftError for what cannot be done whatever the files hold."""
        _ = self.form
        if self.out:
            check_writable(self.out, overwrite=self.overwrite)
        if self.run and self.model:
            hint = "leave one out: with a run, its encoder tells texts apart"
            raise BertftError("--run and --model", hint=hint)

    @property
    def form(self) -> str:
        """The format asked for, else that of the file's suffix, else csv. Raises BertftError."""
        suffix = Path(self.out).suffix.lower().removeprefix(".")
        form = self.format or suffix or "csv"
        if form not in FORMATS:
            where = "--format" if self.format else f"--out {self.out}"
            hint = did_you_mean(form, FORMATS)
            raise BertftError(f"{where}: no format '{form}' for texts to label", hint=hint)
        if form == "xlsx" and not self.out:
            raise BertftError("xlsx needs a file", hint="add --out to-label.xlsx")
        return form
