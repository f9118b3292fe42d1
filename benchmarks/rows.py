"""What AdamW and clipping of a table of word embeddings cost: by rows, and of the whole table.

    python benchmarks/rows.py [RECIPE] [--train F --dev F --model M] [--steps N] [--rounds K]

Both take the same steps on the tokens of the recipe's texts, in turns; CPU milliseconds of a step
on one thread. The whole table's gradient stays allocated between steps. Rows that were not seen for
some 800 steps have moments below the smallest normal number: ``--denormal`` keeps such numbers, as
torch does unless it is told otherwise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from bertft.encoder.lookup import Lookup
from bertft.jobs import build, prepare
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.training.rows import RowSteps
from bertft.watch import Silent

SETTINGS = {"lr": 5e-5, "weight_decay": 0.01, "fused": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="sentiment")
    for name in ("train", "dev", "model"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--steps", type=int, default=32, help="measured steps of a turn")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--denormal", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    request = TrainRequest(
        recipe=given.recipe, train=given.train, dev=given.dev, model=given.model, offline=True
    )
    job = prepare.prepare(read_recipe(request), request, watch=Silent())
    torch.set_flush_denormal(not given.denormal)
    model, _ = build.build_model(job)
    table = model.get_input_embeddings()
    plan = build.order_of_batches(job)
    ids = [
        torch.tensor([token for i in plan.sample(epoch=epoch, step=step)
                      for token in job.encoded["train"][i].input_ids])
        for epoch in range(plan.epochs) for step in range(plan.steps_per_epoch)
    ]  # fmt: skip
    takers = {"whole": whole(table), "rows": rows(table)}
    turns: dict[str, list[float]] = {name: [] for name in takers}
    for turn in range(given.rounds):
        own = [ids[(turn * given.steps + one) % len(ids)] for one in range(given.steps)]
        for name, take in takers.items():
            started = time.process_time()
            for batch in own:
                take(batch)
            turns[name].append((time.process_time() - started) * 1000 / given.steps)
    medians = {name: round(statistics.median(found), 1) for name, found in turns.items()}
    result = {"table": list(table.weight.shape), "cpu_milliseconds_a_step": medians}
    print(json.dumps(result | {"turns": {k: [round(x, 1) for x in v] for k, v in turns.items()}}))


def twin(table: nn.Embedding) -> nn.Embedding:
    return nn.Embedding.from_pretrained(table.weight.detach().clone(), freeze=False)


def rows(table: nn.Embedding) -> Callable[[torch.Tensor], None]:
    own = Lookup(twin(table))
    optimizer = torch.optim.AdamW([own.weight], **SETTINGS)
    RowSteps(own, optimizer)

    def take(ids: torch.Tensor) -> None:
        own.begin()
        own(ids).sum().backward()
        torch.nn.utils.clip_grad_norm_([own.rows()[1]], 1.0)
        optimizer.step()

    return take


def whole(table: nn.Embedding) -> Callable[[torch.Tensor], None]:
    own = twin(table)
    optimizer = torch.optim.AdamW([own.weight], **SETTINGS)
    own.weight.grad = torch.zeros_like(own.weight)

    def take(ids: torch.Tensor) -> None:
        gradient = torch.ones(len(ids), own.embedding_dim)
        own.weight.grad.index_add_(0, ids, gradient)
        torch.nn.utils.clip_grad_norm_([own.weight], 1.0)
        optimizer.step()
        own.weight.grad.index_fill_(0, ids, 0.0)

    return take


if __name__ == "__main__":
    main()
