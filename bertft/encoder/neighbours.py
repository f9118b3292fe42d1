"""Attention that starts with looking at neighbours: an untrained BERT goes in, its weights change.

The token before or after another one is found by their positions alone if these are angles: turned
by one step, those of position p are those of p + 1 (sinusoids, Vaswani et al. 2017, 3.5), and to
turn them is a product with a matrix, as a query is. That heads look one token back and ahead is
what trained encoders come to (Clark et al. 2019, What Does BERT Look At?, 4.1), and serves as well
when it is given (Raganato et al. 2020, Fixed Encoder Self-Attention Patterns); to start attention
from a structure that training would find is Trockman & Kolter 2023, Mimetic Initialization. From
random weights a small BERT stays for thousands of steps where word order tells it nothing.

Shape legend: P positions, R numbers that hold a position (ROOM).
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from transformers import PreTrainedModel

TURNS = 16
"""Angles of a position; the sine and the cosine of each are numbers that words do not have."""
ROOM = 2 * TURNS
DENSITY = 1.3
"""Above 1, slow turns are more numerous, and no two of 512 positions look nearly the same."""
SHARES = {"word": 1.0, "token_type": 0.4, "position": 0.0}
"""Of the spread that embeddings have beside the numbers for positions."""
SHARPNESS = 6.0
"""Logit of the token looked at, of others about 0: most of the attention, in a long text too."""
OFFSETS = (-1, 1, -2, 2)
"""Where the heads of a layer look, in turn; further ones look anywhere."""


def look_at_neighbours(model: PreTrainedModel) -> None:
    """Set positions, and the first heads of the lower half of the layers, of an untrained BERT.

    The last R numbers of each embedding are for positions alone from now on: words and segments
    have zeros there, positions everywhere else. All of it may change in training.
    """
    config, base = model.config, cast("Any", model.base_model)
    size = config.hidden_size // config.num_attention_heads
    gain = math.sqrt(SHARPNESS * math.sqrt(size) / ROOM)  # of query and key each
    with torch.no_grad():
        for name, share in SHARES.items():
            table = base.get_parameter(f"embeddings.{name}_embeddings.weight")
            table[:, -ROOM:] = 0
            table[:, :-ROOM] *= share
        places = base.embeddings.position_embeddings.weight
        places[:, -ROOM:] = angles(len(places)) * config.initializer_range
        for layer in base.encoder.layer[: config.num_hidden_layers // 2]:
            attention = layer.attention.self
            for head, offset in enumerate(OFFSETS[: config.num_attention_heads]):
                rows = slice(head * size, head * size + ROOM)
                for part, turned in ((attention.query, turn(offset)), (attention.key, turn(0))):
                    part.weight[rows] = 0
                    part.weight[rows, -ROOM:] = gain * turned


def angles(count: int) -> torch.Tensor:
    """Positions as sines and cosines, [P, R] with a mean square of 1."""
    turned = torch.arange(count)[:, None] * _speeds()
    return math.sqrt(2) * torch.stack([turned.sin(), turned.cos()], dim=-1).flatten(1)


def turn(steps: int) -> torch.Tensor:
    """What makes the angles of position p those of p + ``steps``, [R, R]: ``turn(n) @ angles``."""
    sines, cosines = (steps * _speeds()).sin(), (steps * _speeds()).cos()
    turned, first = torch.zeros(ROOM, ROOM), torch.arange(0, ROOM, 2)
    turned[first, first] = turned[first + 1, first + 1] = cosines
    turned[first, first + 1], turned[first + 1, first] = sines, -sines
    return turned


def _speeds() -> torch.Tensor:
    """Radians that each angle turns from one position to the next, from slow to half a circle."""
    return math.pi * ((torch.arange(TURNS) + 0.5) / TURNS) ** DENSITY
