"""The model card (README.md) that goes with every saved model.

In: the card (``bertft.json``: task, labels, what was learned on dev, scores) and the recipe. Out:
Markdown with the Hub's metadata, and how to load the model without bertft.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import exp, log
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from bertft.encoder.zoo import ZooModel, find
from bertft.loaders.hub import parse_hub
from bertft.recipe import BUNDLED, HUB
from bertft.reports.templating import code, render
from bertft.settings import Recipe

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

PIPELINES = {
    "ner": "token-classification",
    "qa": "question-answering",
    "pretraining": "fill-mask",
    "retrieval": "sentence-similarity",
}
"""Tasks of the Hub; all other tasks of ours are text-classification there."""

_CLASSIFICATION = """from transformers import pipeline

classify = pipeline("text-classification", model="path/to/this/folder"{options})
classify({texts})"""

_ENTITIES = """from transformers import pipeline

tag = pipeline(
    "token-classification", model="path/to/this/folder", aggregation_strategy="{strategy}"
)
tag("a text")"""

# transformers 5.3 removed the question-answering pipeline, which would have found the span.
_QUESTIONS = """import bertft  # finds the span, in long passages too, and says when there is none

asked = {"question": "a question", "context": "a passage"}
bertft.load("path/to/this/folder").predict([asked])
```

```python
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoModelForQuestionAnswering.from_pretrained("path/to/this/folder")
inputs = tokenizer("a question", "a passage", return_tensors="pt")
output = model(**inputs)  # start_logits and end_logits, one for each token"""


_MASKS = """from transformers import pipeline

fill = pipeline("fill-mask", model="path/to/this/folder")
fill("a [MASK] text")"""


_VECTORS = """from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
passages = model.encode(["a passage", "another passage"]{passage})
question = model.encode("a question"{query})
model.similarity(question, passages)"""


def model_card(card: Mapping[str, Any], recipe: Recipe) -> str:
    """Markdown with the Hub's metadata header: labels, data, settings, dev scores, how to load."""
    from huggingface_hub import ModelCard

    task = card["task"]
    body = render(
        "model_card.md.j2",
        card=card,
        recipe=recipe,
        train=_told(recipe.data.train),
        dev=_told(recipe.data.dev),
        description=_description(recipe),
        how=_how(task["name"], recipe.training.mode),
        facts=list(_facts(card)),
        scores={name: f"{value:.4f}" for name, value in (card["dev_scores"] or {}).items()},
        snippet=_snippet(card),
    )
    return str(ModelCard(f"---\n{_metadata(card, recipe).to_yaml()}\n---\n\n{body}"))


def _metadata(card: Mapping[str, Any], recipe: Recipe) -> ModelCardData:
    """What the Hub reads; nothing is said that is not known."""
    from huggingface_hub import EvalResult, ModelCardData

    encoder, data = card["encoder"], recipe.data
    known = find(encoder["name"]) if encoder["revision"] else None
    base = known.hub_id if known else encoder["name"] if encoder["revision"] else None
    pipeline = PIPELINES.get(card["task"]["name"], "text-classification")
    paths = (data.train, *data.further, data.dev)
    sets = dict.fromkeys(parse_hub(path).owner_name for path in paths if path.startswith(HUB))
    held_out = parse_hub(data.dev) if data.dev.startswith(HUB) else None
    results = [
        EvalResult(
            task_type=pipeline,
            dataset_type=held_out.owner_name if held_out else "custom",
            dataset_name=_told(data.dev) or f"held out from {_told(data.train)}",
            dataset_config=(held_out.config or None) if held_out else None,
            dataset_split=(held_out.split if held_out else "") or "dev",
            metric_type=name,
            metric_name=f"{name} on dev",
            metric_value=round(float(value), 6),
        )
        for name, value in (card["dev_scores"] or {}).items()
    ]
    is_encoder = card["task"]["name"] == "retrieval"
    own = data.train.startswith(BUNDLED) and not data.further
    return ModelCardData(
        language=_language(known, data.train),
        license=known.licence.lower() if known and own and known.licence != "unknown" else None,
        library_name="sentence-transformers" if is_encoder else "transformers",
        pipeline_tag=pipeline,
        tags=["bertft", *["sentence-transformers"] * is_encoder],
        base_model=base,
        datasets=list(sets) or None,
        model_name=str(card["recipe"]) if results else None,
        eval_results=results or None,
    )


def _language(known: ZooModel | None, train: str) -> str | None:
    """That of bundled data (sentiment/ko/...), else that of an encoder which has one only."""
    if train.startswith(BUNDLED):
        found = [part for part in train.removeprefix(BUNDLED).split("/") if part in ("en", "ko")]
        return found[0] if found else "en"
    languages = known.languages if known else ()
    return languages[0] if len(languages) == 1 and languages[0] != "multi" else None


def _told(path: str) -> str:
    """A file of data by its name: where it lies on a machine is nobody else's business."""
    return path if path.startswith((BUNDLED, HUB)) else PurePath(path).name


def _how(task: str, mode: str) -> str:
    if mode == "features":
        return "A head trained with bertft on the frozen states of"
    if mode == "few-shot":
        return "Trained with bertft by contrast on few examples, from"
    if mode == "lora":
        return "Fine-tuned with bertft through LoRA adapters, which are merged, from"
    if task == "pretraining":
        return "Pre-trained with bertft from"
    return "Fine-tuned with bertft from"


def _facts(card: Mapping[str, Any]) -> Iterator[str]:
    """The labels, where there are any, and the figures that were learned on dev."""
    if card["labels"]:
        yield "Labels: " + ", ".join(code(name) for name in card["labels"])
    learned = card.get("learned") or {}
    has_dev = card["dev_scores"] is not None
    if card["task"]["name"] == "qa":
        yield _null_rule(learned.get("null_threshold"), has_dev=has_dev)
    if "confidence" in learned and has_dev:
        a, b = learned["confidence"]
        yield f"Confidence: sigmoid({a:.4f} logit(p) {b:+.4f}), fitted on dev (Platt scaling)"
    if "temperature" in learned:
        yield (
            f"Confidence: softmax(logits / {learned['temperature']:.4f}), fitted on dev; the "
            "weights and labels are as trained"
        )
    if "thresholds" in learned:
        pairs = zip(card["labels"], learned["thresholds"], strict=True)
        named = ", ".join(f"{code(name)} {value:.4f}" for name, value in pairs)
        yield f"A label is given from its own probability, chosen on dev: {named}"
    elif "threshold" in learned:
        yield f"A label is given from a probability of {learned['threshold']:.4f}, chosen on dev"
    if "scaling" in learned:
        yield from _own_thresholds(card)
    if "pooling" in learned:
        told = {"mean": "the mean of all tokens", "max": "the maximum over all tokens"}
        yield f"Vectors: {told.get(learned['pooling'], 'the first token')}, of length 1"
        for kind in ("query", "passage"):
            if prompt := learned[f"{kind}_prompt"]:
                yield f"Before each {kind}: {code(prompt)}"
    if "transitions" in learned:
        yield "Transitions between tags: learned on dev, in `bertft.json`"


def _own_thresholds(card: Mapping[str, Any]) -> Iterator[str]:
    """What to compare plain sigmoid(logit) with, to give the labels that bertft gives."""
    learned, asked = card["learned"], card["task"].get("threshold")
    one = asked if asked is not None else learned.get("threshold", 0.5)
    own = learned.get("thresholds") if asked is None else None
    thresholds = own or [one] * len(card["labels"])
    yield "Confidence: sigmoid(a logit + b), a and b fitted on dev by label, in `bertft.json`"
    triples = zip(card["labels"], learned["scaling"], thresholds, strict=True)
    named = [
        f"{code(name)} {1 / (1 + exp((b - log(p / (1 - p))) / a)):.4f}"
        for name, (a, b), p in triples
    ]
    yield "The same labels from sigmoid(logit) alone, given from: " + ", ".join(named)


def _null_rule(threshold: float | None, *, has_dev: bool) -> str:
    if threshold is None:
        return "No answer: never given, for every question of the training data has one"
    return (
        "No answer: given where the score of [CLS] exceeds that of the best span by more than "
        f"{threshold:.4f}, {'chosen on dev' if has_dev else 'not tuned: there was no dev set'}"
    )


def _snippet(card: Mapping[str, Any]) -> str:
    """How to load the model, in Python; it runs as it stands where the folder is named."""
    task = card["task"]
    if task["name"] == "retrieval":
        named = {
            kind: f', prompt_name="{kind}"' if card["learned"][f"{kind}_prompt"] else ""
            for kind in ("query", "passage")
        }
        return _VECTORS.format(**named)
    if task["name"] == "qa":
        return _QUESTIONS
    if task["name"] == "pretraining":
        return _MASKS
    if task["name"] == "ner":
        # Behind the first piece of a word nothing was learned unless all pieces carry tags.
        strategy = "simple" if task.get("label_pieces") == "all" else "first"
        return _ENTITIES.format(strategy=strategy)
    texts = '"a text"'
    if task["name"] == "nli":
        texts = '{"text": "a premise", "text_pair": "a hypothesis"}'
    elif task.get("pairs") or task.get("pair_column"):
        texts = '{"text": "a text", "text_pair": "another text"}'
    options = "" if task.get("regression") else ", top_k=None"
    return _CLASSIFICATION.format(options=options, texts=texts)


def _description(recipe: Recipe) -> str:
    """What the recipe says of itself; it speaks of its own data, so not of a file of the user's."""
    own = recipe.data.train.startswith((BUNDLED, HUB))
    return " ".join(recipe.description.split()) if own else ""
