"""The model card (README.md) that goes with every saved model.

In: the card (``bertft.json``: task, labels, what was learned on dev, scores) and the recipe. Out:
Markdown with the Hub's metadata, and how to load the model without bertft.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from bertft.recipe import BUNDLED, HUB
from bertft.settings import Recipe

PIPELINES = {
    "ner": "token-classification",
    "qa": "question-answering",
    "pretraining": "fill-mask",
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


def model_card(card: Mapping[str, Any], recipe: Recipe) -> str:
    """Markdown with the Hub's metadata header: labels, data, settings, dev scores, how to load."""
    task = card["task"]
    values = card["dev_scores"] or {}
    rows = "".join(f"| {name} | {value:.4f} |\n" for name, value in values.items())
    scores = f"| dev score | value |\n|---|---|\n{rows}\n" if rows else ""
    settings = recipe.training
    dev = _told(recipe.data.dev) or ("held out from train" if recipe.data.has_dev else "none")
    facts = "".join(f"- {fact}\n" for fact in _facts(card))
    return f"""---
library_name: transformers
pipeline_tag: {PIPELINES.get(task["name"], "text-classification")}
tags: [bertft]
---

# {card["recipe"]}

{_description(recipe)}{_how(task["name"], settings.mode)} `{card["encoder"]["name"]}`
({card["encoder"]["revision"] or "local folder"}).

{facts}- Longest input: {card["max_length"]} tokens
- Data: train `{_told(recipe.data.train)}`, dev `{dev}`
- Settings: epochs {settings.epochs}, batch {settings.batch_size}, learning rate
  {settings.learning_rate}, seed {settings.seed}; this checkpoint is that of step {card["step"]}

{scores}```python
{_snippet(task)}
```
"""


def _told(path: str) -> str:
    """A file of data by its name: where it lies on a machine is nobody else's business."""
    return path if path.startswith((BUNDLED, HUB)) else PurePath(path).name


def _how(task: str, mode: str) -> str:
    if mode == "features":
        return "A head trained with bertft on the frozen states of"
    if task == "pretraining":
        return "Pre-trained with bertft from"
    return "Fine-tuned with bertft from"


def _facts(card: Mapping[str, Any]) -> Iterator[str]:
    """The labels, where there are any, and the figures that were learned on dev."""
    if card["labels"]:
        yield "Labels: " + ", ".join(f"`{name}`" for name in card["labels"])
    learned = card.get("learned") or {}
    has_dev = card["dev_scores"] is not None
    if card["task"]["name"] == "qa":
        yield _null_rule(learned.get("null_threshold"), has_dev=has_dev)
    if "confidence" in learned and has_dev:
        a, b = learned["confidence"]
        yield f"Confidence: sigmoid({a:.4f} logit(p) {b:+.4f}), fitted on dev (Platt scaling)"
    if "threshold" in learned:
        yield f"A label is given from a probability of {learned['threshold']:.4f}, chosen on dev"
    if "transitions" in learned:
        yield "Transitions between tags: learned on dev, in `bertft.json`"


def _null_rule(threshold: float | None, *, has_dev: bool) -> str:
    if threshold is None:
        return "No answer: never given, for every question of the training data has one"
    return (
        "No answer: given where the score of [CLS] exceeds that of the best span by more than\n"
        f"  {threshold:.4f}, {'chosen on dev' if has_dev else 'not tuned: there was no dev set'}"
    )


def _snippet(task: Mapping[str, Any]) -> str:
    """How to load the model, in Python; it runs as it stands where the folder is named."""
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
    return f"{recipe.description}\n\n" if own and recipe.description else ""
