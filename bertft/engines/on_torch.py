"""The engine of a run: its model in torch, as it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from bertft.contracts import Encoded, FloatArray, Head
from bertft.encoder.load import check_vocabulary
from bertft.encoder.packing import choose_batcher
from bertft.encoder.prepacked import prepack
from bertft.training.inference import compute_logits
from bertft.training.runtime import Runtime


class TorchEngine:
    """The model of ``folder`` on its device; ``batcher`` says how sequences are laid out.

    ``together``: all processes of a training answer the same examples at the same time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        head: Head,
        tokenizer: PreTrainedTokenizerBase,
        runtime: Runtime,
        together: bool = False,
    ) -> None:
        model = head.build(folder, trained=True)
        check_vocabulary(model, tokenizer)
        self.model: PreTrainedModel = model.to(runtime.device)  # type: ignore[arg-type]
        self.head, self.runtime, self.together = head, runtime, together
        self.batcher = choose_batcher(self.model, tokenizer, head=head)
        if runtime.device == "cpu" and runtime.precision == "bf16":
            prepack(self.model)

    @property
    def precision(self) -> str:
        return self.runtime.precision

    def logits(self, encoded: Sequence[Encoded]) -> list[FloatArray]:
        return compute_logits(
            self.model,
            encoded,
            head=self.head,
            batcher=self.batcher,
            precision=self.precision,
            together=self.together,
        )

    def own_memory(self) -> None:
        own_memory(self.model)


def own_memory(model: PreTrainedModel) -> None:
    """Copy the weights, which are mapped from their file: one that is written anew under a model
    that answers would end the process."""
    for one in (*model.parameters(), *model.buffers()):
        one.data = one.data.clone()
