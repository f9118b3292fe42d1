"""Frozen layers: computed once for each text, kept, and the same training but for rounding."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from stopping import SETTINGS, Stopper, events, notes, outcome, resume, sending
from transformers.models.bert.modeling_bert import BertLayer

from bertft.cache_folder import cached_files
from bertft.commands.train import train
from bertft.encoder.fused import Fused
from bertft.errors import Interrupted

FROZEN = "training.freeze=layers:1"


FIT = (FROZEN,)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with each pass through a layer: a step's, or one that reads alone."""
    found: list[str] = []
    forward, fused = BertLayer.forward, Fused.__call__

    def counted(self: BertLayer, *arguments: Any, **settings: Any) -> Any:
        if not torch.is_grad_enabled():
            found.append("read")
        return forward(self, *arguments, **settings)

    def counted_fused(self: Fused, *arguments: Any, **settings: Any) -> Any:
        if torch.is_grad_enabled():
            found.append("step")
        return fused(self, *arguments, **settings)

    monkeypatch.setattr(BertLayer, "forward", counted)
    monkeypatch.setattr(Fused, "__call__", counted_fused)
    return found


def figures(run: Path) -> list[float]:
    return [one["loss"] for one in events(run, "step")]


@pytest.mark.parametrize(
    "settings",
    [(), ("training.gradient_checkpointing=true",), ("training.gradient_accumulation=2",)],
)
def test_it_is_the_same_training_but_for_rounding(fit, monkeypatch, settings):
    kept = fit("kept", *settings)
    assert len(cached_files()) == 1
    monkeypatch.setenv("BERTFT_CACHE_GIB", "0.000001")
    plain = fit("plain", *settings)
    said = "the states behind the frozen layers take 0.0 GiB, the cache holds 0.0 (BERTFT_CACHE_GIB"
    assert any(one.startswith(said) for one in notes(plain))
    assert figures(kept) == pytest.approx(figures(plain), abs=1e-5)
    one, other = (load_file(run / "best" / "model.safetensors") for run in (kept, plain))
    assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-4


def test_steps_compute_what_is_above_alone(fit, passes):
    run = fit("run", "training.epochs=4")
    assert len(figures(run)) == 24
    assert passes.count("step") == 24  # one of two layers in each
    there = passes.count("read")
    passes.clear()
    fit("again", "training.epochs=4", "training.learning_rate=1e-3")
    assert passes.count("read") == there - 1  # the one batch of all texts


def test_it_says_what_was_kept(fit, ear):
    fit("run", watch=ear)
    (path,) = cached_files()
    assert any(one.endswith(f"; kept for other runs: {path}") for one in ear.notes)
    assert "freeze = layers:1: what is above learns at a rate of 0.005" in ear.notes
    fit("again", watch=ear)
    assert any(one.endswith(f"encoded before: {path}") for one in ear.notes)


def test_another_seed_is_nothing_to_what_is_frozen(fit):
    one, other = (fit(f"seed-{seed}", f"training.seed={seed}") for seed in (1, 2))
    assert len(cached_files()) == 1
    assert figures(one) != figures(other)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_run_ends_as_one_that_was_not(fit, ask, precision):
    settings = (*SETTINGS, f"training.precision={precision}")
    whole = outcome(fit("whole", *settings))
    assert len(cached_files()) == 1
    asked = ask("stopped", FROZEN, *settings)
    with pytest.raises(Interrupted):
        train(asked, watch=Stopper(6, sending(signal.SIGTERM)))
    resume(Path(asked.out))
    assert outcome(Path(asked.out)) == whole


@pytest.mark.parametrize("setting", ["training.epochs=1", "training.freeze=layers:0"])
def test_where_it_would_not_pay_nothing_is_kept(fit, setting):
    fit("run", setting)
    assert not cached_files()


def test_all_layers_frozen_keeps_the_states_below_the_last(fit):
    run = fit("run", "training.freeze=layers:2")
    assert len(cached_files()) == 1
    assert len(figures(run)) == 12
