"""A step of training with local attention: padded rows beside packed ones, on random weights.

    python benchmarks/local_attention.py [--rounds 3] [--threads 1] [--long N]

The model has the shape of Ettin's 17 M encoder. Both sides compute the same loss and gradients in
bf16, in turns; the best CPU time of the rounds counts. ``--long`` is from how many tokens on layers
that attend to all take the fused kernel.
"""

from __future__ import annotations

import argparse
import copy
import time
from typing import Any

import torch
import transformers
from transformers import PreTrainedTokenizerFast

from bertft.contracts import Encoded
from bertft.encoder import attention
from bertft.encoder.packing import Packer, Padder, choose_batcher
from bertft.heads.sequence import SequenceHead

HEAD = SequenceHead(("a", "b"))
VOCABULARY = 2000
BATCHES = {"phrases": (4, 40, 32), "paragraphs": (60, 300, 16), "pages": (200, 1000, 8)}
BATCHES |= {"documents": (2000, 4000, 2)}
"""Shortest and longest text in tokens, and how many of them a batch has."""


def model() -> Any:
    special = {f"{name}_token_id": 0 for name in ("pad", "bos", "eos", "cls", "sep")}
    config = transformers.ModernBertConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=384,
        num_hidden_layers=7,
        num_attention_heads=4,
        num_labels=2,
        **special,
    )
    torch.manual_seed(0)
    return transformers.ModernBertForSequenceClassification(config)


def tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models

    own = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
    return PreTrainedTokenizerFast(
        tokenizer_object=own,
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_input_names=["input_ids", "attention_mask"],
    )


def texts(shortest: int, longest: int, count: int) -> list[Encoded]:
    generator = torch.Generator().manual_seed(count)
    lengths = torch.randint(shortest, longest, (count,), generator=generator).tolist()
    return [
        Encoded(torch.randint(2, VOCABULARY, (n,), generator=generator).tolist(), [], i, target=0)
        for i, n in enumerate(lengths)
    ]


def step(model: Any, batcher: Any, rows: list[Encoded]) -> float:
    """CPU seconds of forward and backward."""
    started = time.process_time()
    batch = batcher(rows, range(len(rows)), head=HEAD)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(**batch.inputs)
    HEAD.loss(output, batch.targets).backward()
    model.zero_grad()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--long", type=int, default=attention.LONG)
    options = parser.parse_args()
    attention.LONG = options.long
    torch.set_num_threads(options.threads)
    padded = model().train()
    packed = copy.deepcopy(padded)
    packer = choose_batcher(packed, tokenizer(), head=HEAD)
    assert isinstance(packer, Packer)
    print("| texts | tokens | batch | padded, s | packed, s | ratio |\n|---|---|---|---|---|---|")
    for name, (shortest, longest, count) in BATCHES.items():
        rows = texts(shortest, longest, count)
        sides = ((padded, Padder(0, 0)), (packed, packer))
        times = [[step(*side, rows) for side in sides] for _ in range(options.rounds)]
        one, other = (min(side) for side in zip(*times, strict=True))
        print(
            f"| {name} | {shortest} to {longest} | {count} | {one:.3f} | {other:.3f} "
            f"| {one / other:.2f} |"
        )


if __name__ == "__main__":
    main()
