"""Answering short lines beside peers, from file to file: a finished run and a text file in.

    python benchmarks/prediction.py RUN TEXTS [--lines N] [--rounds K] [--contenders ...]
                                    [--exports FOLDER ...]

RUN is a run of one label for one text; TEXTS has a text on each line, or is a CSV with a column
``text``; each FOLDER is an export of RUN, a contender more. Contenders:

pipeline                transformers' text-classification pipeline, batches of 32, float32
sentence-transformers   the encoder alone (mean of tokens, no classifier), bf16, sorted by length
onnx-int8               ONNX Runtime, dynamic int8, the best of three batch sizes, sorted by length
bertft                  ``bertft predict``'s own function

Every measurement is a process of its own; contenders take turns. Timed is everything between the
text file and the written answers, after the model is loaded and has answered 64 texts once. The
agreement is with float32 labels of the same model. Needs the ``bench`` extra.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

CONTENDERS = ("pipeline", "sentence-transformers", "onnx-int8", "bertft")
RESULTS = Path(__file__).parent / "results"

Answer = Callable[[list[str]], list[str] | None]
"""Texts in, labels out; None from a contender without a classifier."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--lines", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--exports", nargs="+", type=Path, default=[])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.contenders += map(str, options.exports)
    return options


def pipeline(model: Path) -> Answer:
    import transformers

    ask = transformers.pipeline("text-classification", model=str(model), device="cpu")
    return lambda texts: [one["label"] for one in ask(texts, batch_size=32)]


def sentence_transformers(model: Path) -> Answer:
    import torch
    from sentence_transformers import SentenceTransformer, models

    encoder = models.Transformer(str(model))
    pooling = models.Pooling(encoder.get_embedding_dimension())
    both = SentenceTransformer(modules=[encoder, pooling], device="cpu").to(torch.bfloat16)

    def answer(texts: list[str]) -> None:
        both.encode(texts, batch_size=32, show_progress_bar=False, convert_to_tensor=True)

    return answer


def onnx_int8(model: Path) -> Answer:
    import numpy as np
    import onnxruntime
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForSequenceClassification.from_pretrained(
        model, attn_implementation="eager"
    ).eval()
    names = [
        name for name in tokenizer.model_input_names if name in ("input_ids", "attention_mask")
    ]
    example = tokenizer(["one text", "another, longer text"], padding=True, return_tensors="pt")

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return self.network(**dict(zip(names, inputs, strict=True))).logits

    folder = Path(tempfile.mkdtemp())
    torch.onnx.export(
        Logits(),
        tuple(example[name] for name in names),
        str(folder / "model.onnx"),
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        dynamo=False,
    )
    quantize_dynamic(folder / "model.onnx", folder / "int8.onnx", weight_type=QuantType.QInt8)
    session = onnxruntime.InferenceSession(str(folder / "int8.onnx"))
    labels = network.config.id2label

    def answer(texts: list[str], size: int) -> list[str]:
        ids = tokenizer(texts, truncation=True)["input_ids"]
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        found = [""] * len(ids)
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            batch = tokenizer.pad({"input_ids": [ids[i] for i in chosen]}, return_tensors="np")
            logits = session.run(None, {name: batch[name] for name in names})[0]
            for index, label in zip(chosen, np.argmax(logits, axis=-1), strict=True):
                found[index] = labels[int(label)]
        return found

    trial = [f"{'a fairly good film ' * (1 + n % 6)}" for n in range(512)]
    size = min((8, 32, 64), key=lambda size: _seconds(lambda: answer(trial, size)))
    return lambda texts: answer(texts, size)


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


PEERS = {
    "pipeline": pipeline,
    "sentence-transformers": sentence_transformers,
    "onnx-int8": onnx_int8,
}


def peer_seconds(name: str, options: argparse.Namespace, out: Path) -> tuple[float, Any]:
    """Seconds from the file of texts to the file of answers, and the labels."""
    answer = PEERS[name](options.run / "best")
    answer(options.texts.read_text(encoding="utf-8").splitlines()[:64])
    started = time.perf_counter()
    texts = options.texts.read_text(encoding="utf-8").splitlines()
    labels = answer(texts)
    rows: Sequence[Any] = [None] * len(texts) if labels is None else labels
    with out.open("w", encoding="utf-8") as file:
        for text, label in zip(texts, rows, strict=True):
            file.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")
    return time.perf_counter() - started, labels


def own_seconds(options: argparse.Namespace, out: Path) -> tuple[float, Any]:
    """The same for bertft, whose function is handed the run or export that is loaded already."""
    from bertft.commands import predict as own
    from bertft.prediction.predictor import load
    from bertft.watch import Silent

    predictor = load(options.run if options.one == "bertft" else options.one)
    predictor.predict(options.texts.read_text(encoding="utf-8").splitlines()[:64])
    own.load = lambda *_, **__: predictor  # type: ignore[attr-defined]
    request = own.PredictRequest(files=(str(options.texts),), run=str(options.run), out=str(out))
    seconds = _seconds(lambda: own.predict_files(request, watch=Silent()))
    return seconds, [json.loads(line)["label"] for line in out.read_text("utf-8").splitlines()]


def reference(options: argparse.Namespace) -> list[str]:
    from bertft.prediction.predictor import load

    texts = options.texts.read_text(encoding="utf-8").splitlines()
    return [str(one["label"]) for one in load(options.run, precision="fp32").predict(texts)]


def measure_one(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answers.jsonl"
        own = options.one not in PEERS
        seconds, labels = (
            own_seconds(options, out) if own else peer_seconds(options.one, options, out)
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "memory_gib": memory, "labels": labels}))


def main() -> None:
    options = arguments()
    os.environ["HF_HUB_OFFLINE"] = "1"
    if options.one:
        measure_one(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts.txt"
        lines = read_lines(options.texts)[: options.lines]
        texts.write_text("\n".join(lines) + "\n", encoding="utf-8")
        options.texts = texts
        results = take_turns(options)
        write(options, results, reference(options))


def read_lines(path: Path) -> list[str]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            found = [row["text"] for row in csv.DictReader(file)]
    else:
        found = path.read_text("utf-8").splitlines()
    lines = (" ".join(line.split()) for line in found)
    return [line for line in lines if line]


def take_turns(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in options.contenders}
    for _ in range(options.rounds):
        for name in options.contenders:
            command = [
                sys.executable,
                __file__,
                str(options.run),
                str(options.texts),
                "--one",
                name,
            ]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(name, round(results[name][-1]["seconds"], 2), file=sys.stderr)
    return results


def write(
    options: argparse.Namespace, results: dict[str, list[dict[str, Any]]], gold: list[str]
) -> None:
    """JSON, and a table of medians with the ratio to bertft."""
    medians = {n: statistics.median(one["seconds"] for one in r) for n, r in results.items()}
    rows = []
    for name, seconds in medians.items():
        labels = results[name][0]["labels"]
        same = labels and sum(a == b for a, b in zip(labels, gold, strict=True)) / len(gold)
        rows.append(
            {
                "contender": name,
                "texts_per_second": len(gold) / seconds,
                "times_slower": seconds / medians.get("bertft", seconds),
                "memory_gib": results[name][0]["memory_gib"],
                "agreement": same,
            }
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "prediction.json").write_text(json.dumps(rows, indent=1))
    print("| contender | texts/s | times bertft's seconds | memory | same label as fp32 |")
    print("|---|---|---|---|---|")
    for row in rows:
        same = "-" if row["agreement"] is None else f"{row['agreement']:.2%}"
        print(
            f"| {row['contender']} | {row['texts_per_second']:.0f} | {row['times_slower']:.2f}"
            f" | {row['memory_gib']:.1f} GiB | {same} |"
        )


if __name__ == "__main__":
    main()
