"""The model card (README.md) that goes with every saved model."""

from __future__ import annotations

from typing import Any

from bertft.recipe import BUNDLED, HUB, Recipe


def model_card(card: dict[str, Any], recipe: Recipe) -> str:
    """Markdown with the Hub's metadata header: labels, data, settings, dev scores, how to load."""
    labels = ", ".join(f"`{name}`" for name in card["labels"])
    scores = "\n".join(
        f"| {name} | {value:.4f} |" for name, value in (card["dev_scores"] or {}).items()
    )
    settings = recipe.training
    return f"""---
library_name: transformers
pipeline_tag: text-classification
tags: [bertft]
---

# {card["recipe"]}

{_description(recipe)}Fine-tuned with bertft from `{card["encoder"]["name"]}`
({card["encoder"]["revision"] or "local folder"}).

- Labels: {labels}
- Longest input: {card["max_length"]} tokens
- Data: train `{recipe.data.train}`, dev `{recipe.data.dev or "held out from train"}`
- Settings: epochs {settings.epochs}, batch {settings.batch_size}, learning rate
  {settings.learning_rate}, seed {settings.seed}; this checkpoint is that of step {card["step"]}

| dev score | value |
|---|---|
{scores}

```python
from transformers import pipeline
classify = pipeline("text-classification", model="path/to/this/folder", top_k=None)
```
"""


def _description(recipe: Recipe) -> str:
    """What the recipe says of itself; it speaks of its own data, so not of a file of the user's."""
    own = recipe.data.train.startswith((BUNDLED, HUB))
    return f"{recipe.description}\n\n" if own and recipe.description else ""
