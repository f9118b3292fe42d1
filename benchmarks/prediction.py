"""Answering beside peers, from file to file: a finished run and what it is to answer in.

    python benchmarks/prediction.py RUN INPUTS [--most N] [--rounds K] [--contenders ...]
                                    [--exports FOLDER ...]

RUN is a run of labels for one text, of entities, or of questions. INPUTS has a text on each line,
or is a CSV with a column ``text``; for questions it is a SQuAD file. Each FOLDER is an export of
RUN, a contender more. Contenders:

pipeline                transformers' pipeline of the task, batches of 32, float32; for questions,
                        which have none since transformers 5, padded batches of 32 windows
sentence-transformers   the encoder alone (mean of tokens, no head), bf16, sorted by length
onnx-int8               ONNX Runtime, dynamic int8, the best of three batch sizes, sorted by length;
                        logits alone where they are not labels
bertft                  ``bertft predict``'s own function

Every measurement is a process of its own; contenders take turns. Timed is everything between the
input file and the written answers, after the model is loaded and has answered 64 inputs once. The
agreement is with the answers of the same model in float32. Needs the ``bench`` extra.
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

CONTENDERS = ("pipeline", "sentence-transformers", "onnx-int8", "bertft")
RESULTS = Path(__file__).parent / "results"
PIPELINES = {"classification": "text-classification", "ner": "token-classification"}
WINDOW, OVERLAP = 384, 128
"""Tokens of a window of a passage, and those that it shares with the next: run_qa.py's own."""

Input = str | tuple[str, str]
"""A text, or a question and its passage."""
Answer = Callable[[list[Input]], list[str] | None]
"""Inputs in, labels out; None from a contender that has none."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("inputs", type=Path)
    parser.add_argument("--most", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--exports", nargs="+", type=Path, default=[])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.contenders += map(str, options.exports)
    return options


def task_of(model: Path) -> str:
    card = json.loads((model / "bertft.json").read_text(encoding="utf-8"))
    return str(card["task"]["name"])


def network_of(model: Path, **settings: Any) -> Any:
    import transformers

    classes = {
        "classification": transformers.AutoModelForSequenceClassification,
        "ner": transformers.AutoModelForTokenClassification,
        "qa": transformers.AutoModelForQuestionAnswering,
    }
    return classes[task_of(model)].from_pretrained(model, **settings).eval()


def windows_of(tokenizer: Any, inputs: Sequence[Input]) -> list[list[int]]:
    """The tokens of each text, or of each window of each passage with its question."""
    if isinstance(inputs[0], str):
        return tokenizer(list(inputs), truncation=True)["input_ids"]
    questions, passages = zip(*inputs, strict=True)
    return tokenizer(
        [one.lstrip() for one in questions],
        list(passages),
        truncation="only_second",
        max_length=WINDOW,
        stride=OVERLAP,
        return_overflowing_tokens=True,
    )["input_ids"]


def pipeline(model: Path) -> Answer:
    import torch
    import transformers

    task = task_of(model)
    if task in PIPELINES:
        ask = transformers.pipeline(PIPELINES[task], model=str(model), device="cpu")

        def answer(texts: list[Input]) -> list[str] | None:
            found = ask(texts, batch_size=32)
            return [one["label"] for one in found] if task == "classification" else None

        return answer
    network, tokenizer = network_of(model), transformers.AutoTokenizer.from_pretrained(model)

    def read(inputs: list[Input]) -> None:
        ids = windows_of(tokenizer, inputs)
        with torch.inference_mode():
            for first in range(0, len(ids), 32):
                batch = {"input_ids": ids[first : first + 32]}
                network(**tokenizer.pad(batch, return_tensors="pt"))

    return read


def sentence_transformers(model: Path) -> Answer:
    import torch
    from sentence_transformers import SentenceTransformer, models

    encoder = models.Transformer(str(model))
    if task_of(model) == "qa":
        encoder.max_seq_length = WINDOW
    pooling = models.Pooling(encoder.get_embedding_dimension())
    both = SentenceTransformer(modules=[encoder, pooling], device="cpu").to(torch.bfloat16)

    def answer(inputs: list[Input]) -> None:
        texts = [one if isinstance(one, str) else " ".join(one) for one in inputs]
        both.encode(texts, batch_size=32, show_progress_bar=False, convert_to_tensor=True)

    return answer


def onnx_int8(model: Path) -> Answer:
    import numpy as np
    import onnxruntime
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = network_of(model, attn_implementation="eager")
    names = [
        name for name in tokenizer.model_input_names if name in ("input_ids", "attention_mask")
    ]
    example = tokenizer(["one text", "another, longer text"], padding=True, return_tensors="pt")
    outputs = ("start_logits", "end_logits") if task_of(model) == "qa" else ("logits",)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            found = self.network(**dict(zip(names, inputs, strict=True)))
            return tuple(found[name] for name in outputs)

    folder = Path(tempfile.mkdtemp())
    torch.onnx.export(
        Logits(),
        tuple(example[name] for name in names),
        str(folder / "model.onnx"),
        input_names=names,
        output_names=list(outputs),
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        dynamo=False,
    )
    quantize_dynamic(folder / "model.onnx", folder / "int8.onnx", weight_type=QuantType.QInt8)
    session = onnxruntime.InferenceSession(str(folder / "int8.onnx"))
    labels = network.config.id2label if task_of(model) == "classification" else None

    def answer(inputs: list[Input], size: int) -> list[str] | None:
        ids = windows_of(tokenizer, inputs)
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        found = [""] * len(ids)
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            batch = tokenizer.pad({"input_ids": [ids[i] for i in chosen]}, return_tensors="np")
            logits = session.run(None, {name: batch[name] for name in names})[0]
            if labels is not None:
                for index, label in zip(chosen, np.argmax(logits, axis=-1), strict=True):
                    found[index] = labels[int(label)]
        return found if labels is not None else None

    trial: list[Input] = [f"{'a fairly good film ' * (1 + n % 6)}" for n in range(512)]
    size = min((8, 32, 64), key=lambda size: _seconds(lambda: answer(trial, size)))
    return lambda inputs: answer(inputs, size)


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
    """Seconds from the file of inputs to the file of answers, and the labels."""
    answer = PEERS[name](options.run / "best")
    answer(read_inputs(options.inputs)[:64])
    started = time.perf_counter()
    inputs = read_inputs(options.inputs)
    labels = answer(inputs)
    rows: Sequence[Any] = [None] * len(inputs) if labels is None else labels
    with out.open("w", encoding="utf-8") as file:
        for one, label in zip(inputs, rows, strict=True):
            file.write(json.dumps({"input": one, "label": label}, ensure_ascii=False) + "\n")
    return time.perf_counter() - started, labels


def own_seconds(options: argparse.Namespace, out: Path) -> tuple[float, Any]:
    """The same for bertft, whose function is handed the run or export that is loaded already."""
    from bertft.commands import predict as own
    from bertft.prediction.predictor import load
    from bertft.watch import Silent

    predictor = load(options.run if options.one == "bertft" else options.one)
    predictor.predict([example_of(one) for one in read_inputs(options.inputs)[:64]])
    own.load = lambda *_, **__: predictor  # type: ignore[attr-defined]
    request = own.PredictRequest(files=(str(options.inputs),), run=str(options.run), out=str(out))
    seconds = _seconds(lambda: own.predict_files(request, watch=Silent()))
    found = map(json.loads, out.read_text("utf-8").splitlines())
    return seconds, [said_by(one) for one in found]


def example_of(one: Input) -> Any:
    """An input as ``Predictor.predict`` takes it."""
    return one if isinstance(one, str) else {"question": one[0], "context": one[1]}


def said_by(answer: dict[str, Any]) -> str:
    """What an answer comes to: its label, its answer, or its entities."""
    if "entities" in answer:
        spans = [(one["start"], one["end"], one["label"]) for one in answer["entities"]]
        return json.dumps(spans)
    return str(answer["label"] if "label" in answer else answer["answer"])


def reference(options: argparse.Namespace) -> list[str]:
    from bertft.prediction.predictor import load

    inputs = [example_of(one) for one in read_inputs(options.inputs)]
    return [said_by(one) for one in load(options.run, precision="fp32").predict(inputs)]


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
        options.inputs = written(options, Path(folder))
        results = take_turns(options)
        write(options, results, reference(options))


def written(options: argparse.Namespace, folder: Path) -> Path:
    """The first inputs, in the form that ``bertft predict`` reads."""
    inputs = list(read_inputs(options.inputs))[: options.most]
    if isinstance(inputs[0], str):
        path, text = folder / "texts.txt", "\n".join(map(str, inputs)) + "\n"
    else:
        path = folder / "questions.json"
        paragraphs = [
            {"context": passage, "qas": [{"id": str(n), "question": question, "answers": []}]}
            for n, (question, passage) in enumerate(inputs)
        ]
        text = json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]})
    path.write_text(text, encoding="utf-8")
    return path


def read_inputs(path: Path) -> list[Input]:
    if path.suffix == ".json":
        data = json.loads(path.read_text(encoding="utf-8"))["data"]
        return list(questions_of(data))
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            found = [row["text"] for row in csv.DictReader(file)]
    else:
        found = path.read_text("utf-8").splitlines()
    lines = (" ".join(line.split()) for line in found)
    return [line for line in lines if line]


def questions_of(data: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for article in data:
        for paragraph in article["paragraphs"]:
            for one in paragraph["qas"]:
                yield one["question"], paragraph["context"]


def take_turns(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in options.contenders}
    for _ in range(options.rounds):
        for name in options.contenders:
            command = [
                sys.executable,
                __file__,
                str(options.run),
                str(options.inputs),
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
                "inputs_per_second": len(gold) / seconds,
                "times_slower": seconds / medians.get("bertft", seconds),
                "memory_gib": results[name][0]["memory_gib"],
                "agreement": same,
            }
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "prediction.json").write_text(json.dumps(rows, indent=1))
    print("| contender | inputs/s | times bertft's seconds | memory | same answer as fp32 |")
    print("|---|---|---|---|---|")
    for row in rows:
        same = "-" if row["agreement"] is None else f"{row['agreement']:.2%}"
        print(
            f"| {row['contender']} | {row['inputs_per_second']:.0f} | {row['times_slower']:.2f}"
            f" | {row['memory_gib']:.1f} GiB | {same} |"
        )


if __name__ == "__main__":
    main()
