"""bertft: fine-tune BERT encoders on your own text.

Python API (everything heavy is imported when it is first used):

    import bertft
    run = bertft.train("sentiment", train="reviews.csv")
    folder, scores = bertft.evaluate(run.run, data="test.csv")
    bertft.load(run.run).predict("What a film.")
    bertft.explain(["What a film."], run=run.run)
    bertft.embed(["What a film.", "Never again."])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bertft.commands.train import TrainResult
    from bertft.contracts import FloatArray
    from bertft.encoder.sentence import Pooling
    from bertft.prediction.predictor import Predictor
    from bertft.prediction.together import Together

__version__ = "0.1.0"
__all__ = ["embed", "evaluate", "explain", "load", "load_together", "train"]


def train(
    recipe: str,
    *,
    train: str = "",
    dev: str = "",
    test: str = "",
    model: str = "",
    out: str = "",
    seed: int | None = None,
    settings: Sequence[str] = (),
    offline: bool = False,
) -> TrainResult:
    """Fine-tune as ``bertft train`` does; ``settings`` are its ``--set`` overrides.

    Raises:
        BertftError: the recipe, the data, the model or the run directory is at fault.
    """
    from bertft.commands.train import train as run_training
    from bertft.console.notebook import watch_here
    from bertft.jobs.request import TrainRequest

    request = TrainRequest(
        recipe=recipe,
        overrides=tuple(settings),
        train=train,
        dev=dev,
        test=test,
        model=model,
        out=out,
        seed=seed,
        offline=offline,
    )
    result = run_training(request, watch=watch_here())
    assert result is not None
    return result


def evaluate(
    run: str | Path,
    *,
    data: str = "",
    out: str = "",
    device: str = "auto",
    precision: str = "auto",
    min_confidence: float | None = None,
    target_accuracy: float | None = None,
    coverage: float | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Score a run as ``bertft eval`` does: (folder written, content of scores.json)."""
    from bertft.commands.evaluate import evaluate as run_evaluation
    from bertft.console.notebook import watch_here
    from bertft.prediction.certainty import Certainty

    certainty = Certainty(
        min_confidence=min_confidence, target_accuracy=target_accuracy, coverage=coverage
    )
    return run_evaluation(
        str(run),
        data=data,
        out=out,
        certainty=certainty,
        device=device,
        precision=precision,
        watch=watch_here(),
    )


def load(run: str | Path, *, device: str = "auto", precision: str = "auto") -> Predictor:
    """A trained model for prediction, from a run directory or its ``best`` folder."""
    from bertft.prediction.predictor import load as load_predictor

    return load_predictor(run, device=device, precision=precision)


def load_together(
    runs: Sequence[str | Path], *, device: str = "auto", precision: str = "auto"
) -> Together:
    """Several trained models that answer the same texts (an intent and its slots, say)."""
    from bertft.prediction.together import load_together as load_all

    return load_all(runs, device=device, precision=precision)


def embed(
    texts: Sequence[str],
    *,
    model: str = "",
    run: str = "",
    pooling: Pooling | None = None,
    layers: str = "last",
    normalize: bool | None = None,
    prompt: str | None = None,
    max_length: int | None = None,
    device: str = "auto",
    precision: str = "fp32",
    offline: bool = False,
) -> FloatArray:
    """Sentence vectors [texts, width] as ``bertft embed`` writes them.

    Raises:
        BertftError: the model, the run or a setting is at fault.
    """
    from bertft.commands.embed import embed as run_embed
    from bertft.inside.embedder import View
    from bertft.inside.request import EncoderRequest

    request = EncoderRequest(
        model=model,
        run=run,
        max_length=max_length,
        device=device,
        precision=precision,
        offline=offline,
    )
    view = View(pooling=pooling, layers=layers, normalize=normalize, prompt=prompt)
    return run_embed(texts, encoder=request, view=view)


def explain(
    records: Sequence[str | Mapping[str, Any]],
    *,
    run: str | Path,
    label: str = "",
    word: str = "",
    steps: int = 32,
    baseline: Literal["mask", "pad"] = "mask",
    delete: int | None = None,
    draws: int = 10,
    attention: bool = False,
    out: str = "",
    overwrite: bool = False,
    device: str = "auto",
) -> list[dict[str, Any]]:
    """What the answers of a run rest on, as ``bertft explain`` tells it: one result per record.

    Records are what ``load(run).predict`` takes: texts, or mappings. A result's fields are those of
    ``bertft.commands.explain.explain``; ``out`` is a page or a picture of all of them.

    Raises:
        BertftError: the run, a record or an option is at fault.
    """
    from bertft.commands.explain import explain as run_explain
    from bertft.inside.request import EncoderRequest, ExplainRequest
    from bertft.watch import Silent

    request = ExplainRequest(
        encoder=EncoderRequest(run=str(run), device=device),
        records=records,
        label=label,
        word=word,
        steps=steps,
        baseline=baseline,
        delete=delete,
        draws=draws,
        attention=attention,
        out=out,
        overwrite=overwrite,
    )
    return list(run_explain(request, watch=Silent()))
