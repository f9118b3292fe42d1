"""--budget: what fits a time is planned from measured costs; then it is a recipe like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import Ear
from stopping import Stopper, crash, outcome, resume

from bertft.commands.train import train
from bertft.errors import RecipeError
from bertft.jobs import prepare
from bertft.jobs.prepare import Job, Read
from bertft.jobs.request import TrainRequest
from bertft.recipe import load_recipe
from bertft.runs import budget
from bertft.runs.budget import Costs, Fit, fit
from bertft.words import seconds_of

COSTS = Costs(before=10, epoch=100, steps=50, evaluation=5, every=0, after=5)


@pytest.mark.parametrize(
    ("text", "seconds"), [("10m", 600), ("90s", 90), ("1h30m", 5400), ("1.5H", 5400)]
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["10", "m", "0m", "ten minutes", "5m1h", "-5m"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(RecipeError, match="not a time"):
        seconds_of(text)


def test_a_share_of_one_epoch_fills_a_short_time() -> None:
    """10 + 5 + 5 s are spent whatever is trained."""
    found = fit(COSTS, epochs=3, seconds=70)
    assert found is not None
    assert (found.epochs, found.share, found.whole) == (1, 0.5, False)


def test_an_epoch_more_of_fewer_rows() -> None:
    """Two whole epochs take 225 s; three of a share have 3 x 5 s of evaluations."""
    found = fit(COSTS, epochs=3, seconds=240)
    assert found is not None
    assert (found.epochs, found.share) == (3, 0.7)


def test_the_recipe_is_never_exceeded() -> None:
    found = fit(COSTS, epochs=3, seconds=10_000)
    assert found is not None
    assert (found.epochs, found.share, found.whole) == (3, 1.0, True)


def test_texts_that_are_encoded_once_are_what_gives() -> None:
    """30 s are spent whatever is trained; of all texts three epochs and their encoding take 360."""
    costs = replace(COSTS, encoding=60)
    found = fit(costs, epochs=3, least=3, seconds=210)
    assert found is not None
    assert (found.epochs, found.share, found.whole) == (3, 0.5, False)
    assert fit(costs, epochs=3, least=3, seconds=390) == Fit(3, 1.0, whole=True)


def test_whole_epochs_alone() -> None:
    found = fit(COSTS, epochs=3, in_shares=False, seconds=240)
    assert found == Fit(2, 1.0, whole=False)
    assert fit(COSTS, epochs=3, in_shares=False, seconds=100) is None


def test_nothing_fits() -> None:
    assert fit(COSTS, epochs=3, seconds=21) is None


@given(
    st.floats(1, 1e4), st.floats(0.1, 1e5), st.floats(0, 1e3), st.integers(0, 200),
    st.integers(1, 10), st.floats(1, 1e6),
)  # fmt: skip
def test_what_fits_is_full_and_not_over(
    before: float, epoch: float, evaluation: float, every: int, epochs: int, seconds: float
) -> None:
    costs = Costs(before, epoch, 1000, evaluation, every, after=before)
    found = fit(costs, epochs=epochs, seconds=seconds)
    if found is None:
        assert costs.total(1, 0.0011) > seconds
        return
    assert costs.total(found.epochs, found.share) <= seconds * (1 + 1e-9)
    assert 0 < found.share <= 1
    assert 1 <= found.epochs <= epochs
    if not found.whole:
        more = costs.total(found.epochs, found.share + 0.002)
        if found.share < 0.998:
            assert more > seconds


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch that takes a bit more than a budget of 100 s."""

    def costs(*given: Any, **settings: Any) -> Costs:
        real(*given, **settings)
        return Costs(before=20, epoch=80, steps=6, evaluation=2, every=0, after=15)

    real = budget.measured_costs
    monkeypatch.setattr(budget, "measured_costs", costs)


@pytest.mark.usefixtures("slow")
def test_a_run_within_a_budget_is_one_of_its_recipe(
    ask: Callable[..., TrainRequest], ear: Ear, tmp_path: Path
) -> None:
    """Its own recipe trains the same weights again; stopped, it goes on to the same weights."""
    result = train(ask("fitted", "training.epochs=2", budget="100s"), watch=ear)
    assert result is not None
    (said,) = [note for note in ear.notes if note.startswith("--budget 100s: ")]
    assert "1 epoch of 75.0% of the rows" in said
    recipe = load_recipe(str(result.run / "recipe.toml"))
    assert (recipe.training.epochs, recipe.data.train_share) == (1, 0.75)
    assert said in (result.run / "journal.jsonl").read_text("utf-8")
    request = TrainRequest(recipe=str(result.run / "recipe.toml"), out=str(tmp_path / "again"))
    again = train(request)
    assert again is not None
    assert outcome(again.run) == outcome(result.run)
    asked = ask("stopped", "training.epochs=2", "training.save_every=1", budget="100s")
    with pytest.raises(ZeroDivisionError):
        train(asked, watch=Stopper(2, crash))
    assert outcome(resume(Path(asked.out)).run) == outcome(result.run)


@pytest.mark.usefixtures("slow")
def test_data_are_read_once(
    ask: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[Read] = []
    real = prepare.read_splits

    def read(*given: Any, **more: Any) -> Read:
        readings.append(real(*given, **more))
        return readings[-1]

    monkeypatch.setattr(prepare, "read_splits", read)
    assert train(ask("run", budget="100s")) is not None
    assert len(readings) == 1


def test_what_is_measured_of_a_tiny_model(ask: Callable[..., TrainRequest], ear: Ear) -> None:
    train(ask("whole", "training.epochs=2", budget="60m"), watch=ear)
    (said,) = [note for note in ear.notes if note.startswith("--budget 60m: ")]
    assert "the whole recipe, 2 epochs, in about" in said


def test_a_share_of_the_rows_is_encoded_in_a_share_of_the_time(
    ask: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Costs] = []
    real = budget.measured_costs

    def costs(job: Job, *given: Any, again: float, **more: Any) -> Costs:
        assert 0 < job.encoding <= again
        assert 0 < job.reading <= again
        job.encoding, job.reading = 40.0, 25.0
        found.append(real(job, *given, again=100.0, **more))
        return found[-1]

    monkeypatch.setattr(budget, "measured_costs", costs)
    train(ask("dry", dry_run=True))
    (one,) = found
    assert (one.tokens, one.encoding) == (40, 0)
    assert one.total(1, 1) - one.total(1, 0) >= 40
    assert 35 < one.before < 35 + 50  # building once more, and what there was until here


def test_a_dry_run_tells_what_times_would_buy(ask: Callable[..., TrainRequest], ear: Ear) -> None:
    assert train(ask("dry", "training.epochs=2", dry_run=True), watch=ear) is None
    told = [note for note in ear.notes if note.startswith("--budget")]
    assert len(told) == 1
    assert told[0].startswith("--budget 5m: the whole recipe, 2 epochs, in about")


@pytest.mark.usefixtures("slow")
def test_a_dry_run_within_a_budget_tells_of_that_alone(
    ask: Callable[..., TrainRequest], ear: Ear
) -> None:
    assert train(ask("dry", "training.epochs=2", budget="100s", dry_run=True), watch=ear) is None
    (told,) = [note for note in ear.notes if note.startswith("--budget")]
    assert told.startswith("--budget 100s: 1 epoch of 75.0% of the rows")


FEATURES = ("training.mode=features", "training.epochs=3")


def test_features_within_a_budget(
    ask: Callable[..., TrainRequest], ear: Ear, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All epochs of a share of the texts; its recipe trains the same weights again."""
    costs = Costs(20, 2, steps=6, evaluation=2, every=0, after=11, encoding=94)
    monkeypatch.setattr(budget, "measured_costs", lambda *_, **__: costs)
    result = train(ask("fitted", *FEATURES, budget="100s"), watch=ear)
    assert result is not None
    (said,) = [note for note in ear.notes if note.startswith("--budget 100s: ")]
    assert "3 epochs of 60.0% of the rows" in said
    assert "start 20 s, encoding 56 s, training 4 s, " in said
    again = train(TrainRequest(recipe=str(result.run / "recipe.toml"), out=str(tmp_path / "again")))
    assert again is not None
    assert outcome(again.run) == outcome(result.run)


def test_measuring_features_leaves_nothing_behind(
    ask: Callable[..., TrainRequest], ear: Ear, own_cache: Path
) -> None:
    """Not in the cache, nor in what is trained then; and states that are there cost nothing."""
    assert train(ask("dry", *FEATURES, dry_run=True), watch=ear) is None
    assert not list(own_cache.glob("*.states"))
    told = [note for note in ear.notes if note.startswith("--budget")]
    assert "the whole recipe, 3 epochs, in about" in told[0]
    assert ", encoding " in told[0]
    plain = train(ask("plain", *FEATURES))
    fitted = train(ask("fitted", *FEATURES, budget="60m"), watch=ear)
    assert plain is not None
    assert fitted is not None
    assert outcome(fitted.run) == outcome(plain.run)
    (said,) = [note for note in ear.notes if note.startswith("--budget 60m: ")]
    assert ", encoding " not in said
    assert train(ask("dry", *FEATURES, dry_run=True), watch=ear) is None
    assert ear.notes.count("12 texts encoded before: the head alone is trained") == 1


@pytest.mark.parametrize("mode", ["few-shot", "lora"])
def test_other_modes_are_measured_too(
    ask: Callable[..., TrainRequest], ear: Ear, mode: str
) -> None:
    settings = (f"training.mode={mode}", "training.epochs=2")
    if mode == "lora":
        pytest.importorskip("peft")
    plain, fitted = (train(ask(n, *settings, budget=t), watch=ear) for n, t in RUNS.items())
    assert plain is not None
    assert fitted is not None
    assert outcome(fitted.run) == outcome(plain.run)
    (said,) = [note for note in ear.notes if note.startswith("--budget 60m: ")]
    assert "the whole recipe, 2 epochs, in about" in said


RUNS = {"plain": "", "fitted": "60m"}


@pytest.mark.parametrize(
    ("settings", "time", "message"),
    [
        ((), "0.1s", "one step, with reading, scoring and saving, takes about"),
        (FEATURES, "0.1s", "one step of each epoch, with reading"),
        (("training.mode=few-shot",), "0.1s", "an epoch of few-shot mode, .* .it is not cut"),
    ],
)
def test_what_cannot_be_planned(
    ask: Callable[..., TrainRequest], settings: tuple[str, ...], time: str, message: str
) -> None:
    request = ask("none", *settings, budget=time)
    with pytest.raises(RecipeError, match=message):
        train(request)
    assert not Path(request.out).exists()


def test_several_processes_are_not_planned(
    ask: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget.processes, "count", lambda: 2)
    with pytest.raises(RecipeError, match="plans the training of a task in one process"):
        train(ask("none", budget="10m"))


def test_several_runs_have_no_budget(command: Any) -> None:
    code, _, err = command("train", "sentiment", "--budget", "10m", "--seeds", "3")
    assert code == 2
    assert "--budget plans one new run" in err
