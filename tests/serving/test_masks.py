"""Models with a masked-LM head behind a server: they answer as fill-mask and as transformers do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import InferenceClient, constants
from live_server import Live, serving
from samples import FAST
from transformers import pipeline

from bertft.commands.fill_mask import FillRequest, fill_mask
from bertft.commands.pretrain import pretrain
from bertft.errors import BertftError, ModelError
from bertft.inside.request import EncoderRequest
from bertft.jobs.pretraining import PretrainRequest
from bertft.prediction.texts import TextRequest
from bertft.serving.models import Asked, Models, asked_models
from bertft.watch import Silent

TEXT = "the [MASK] was good"
TWO = "the [MASK] was [MASK]"
PIPELINE = "/models/masks/pipeline/"


@pytest.fixture(scope="module")
def own(pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ``bertft pretrain``."""
    folder = tmp_path_factory.mktemp("pretraining")
    corpus = folder / "corpus.txt"
    corpus.write_text("i love the film\n\nthe food is bad\n\n" * 8, encoding="utf-8")
    request = PretrainRequest(
        corpus=(str(corpus),),
        model=str(pretrained),
        out=str(folder / "run"),
        overrides=(*FAST, "training.epochs=1"),
    )
    assert pretrain(request) is not None
    return folder / "run"


@pytest.fixture(scope="module")
def live(
    pretrained: Path, own: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    runs = {"masks": pretrained, "own": own, "film": trained}
    with serving(runs, tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture(scope="module")
def peer(pretrained: Path) -> Any:
    return pipeline("fill-mask", model=str(pretrained), device="cpu")


NAMES = ("score", "token", "token_str", "sequence")


def answered(found: Any) -> Any:
    """Elements of an answer as tuples, in the lists that they are in."""
    if isinstance(found, list):
        return [answered(one) for one in found]
    return tuple(found[name] for name in NAMES)


def plain(found: Any) -> Any:
    """The same of what transformers says, whose probabilities may differ by rounding."""
    if isinstance(found, list):
        return [plain(one) for one in found]
    score, *rest = answered(found)
    return pytest.approx(score, abs=1e-5), *rest


def infer(*texts: str, **parameters: Any) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}
    return {"inputs": [tensor], "parameters": parameters}


def test_hugging_faces_client_is_answered_as_by_transformers(
    live: Live, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    client = InferenceClient(model=live.address)
    assert answered(client.fill_mask(TEXT, top_k=3)) == plain(peer(TEXT, top_k=3))
    assert answered(client.fill_mask(TWO)) == plain(peer(TWO)), "a list for each mask"
    among = ["film", "food", "slow"]
    due = plain(peer(TEXT, targets=among))
    assert answered(client.fill_mask(TEXT, targets=among)) == due
    assert answered(client.fill_mask(TEXT, targets=among, top_k=1)) == due[:1]
    _, found, _ = live.ask("/models/masks", {"inputs": [TEXT, TWO]})
    assert answered(found) == plain(peer([TEXT, TWO]))


@pytest.mark.parametrize("name", ["masks", "own"])
def test_answers_are_those_of_fill_mask(live: Live, pretrained: Path, own: Path, name: str) -> None:
    model = {"masks": pretrained, "own": own}[name]
    request = FillRequest(
        texts=TextRequest(arguments=(TEXT, TWO)), encoder=EncoderRequest(model=str(model)), top_k=4
    )
    due = list(fill_mask(request, watch=Silent()))
    status, found, _ = live.ask(f"/v2/models/{name}/infer", infer(TEXT, TWO, top_k=4))
    assert status == 200, found
    for text, one in zip(found["outputs"][0]["data"], due, strict=True):
        answer = json.loads(text)
        assert answer.keys() == one.keys()
        assert answer["filled"] == one["filled"]
        for tokens, others in zip(answer["masks"], one["masks"], strict=True):
            assert [token["token"] for token in tokens] == [token["token"] for token in others]
            assert [token["probability"] for token in tokens] == pytest.approx(
                [token["probability"] for token in others], abs=1e-6
            )


def test_a_model_with_a_mask_gives_vectors_and_tokens(live: Live) -> None:
    _, (vector,), _ = live.ask("/embed", {"inputs": TEXT})
    assert sum(one * one for one in vector) == pytest.approx(1, abs=1e-4)
    _, found, _ = live.ask(PIPELINE + "feature-extraction", {"inputs": TEXT})
    assert len(found) == len(vector)
    _, several, _ = live.ask(PIPELINE + "feature-extraction", {"inputs": [TEXT, TWO]})
    assert several[0] == pytest.approx(found, abs=1e-5)
    _, (tokens,), _ = live.ask("/tokenize", {"inputs": TEXT})
    assert "[MASK]" in [one["text"] for one in tokens]
    _, info, _ = live.ask("/info")
    assert (info["task"], info["mask_token"]) == ("fill-mask", "[MASK]")
    _, about, _ = live.ask("/models/own/about")
    assert about["metric"] == "mlm_accuracy"
    assert about["metrics"][about["metric"]]["value"] >= 0


def test_a_text_that_is_cut_is_told(live: Live) -> None:
    _, _, headers = live.ask("/", {"inputs": TEXT + " good" * 100})
    assert headers["x-truncated"] == "1"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/", {"inputs": "a film"}, 422, "write [MASK] where a word is missing"),
        ("/", {"inputs": "good " * 100 + TEXT}, 422, "the mask was cut off"),
        ("/", {"inputs": ""}, 422, "no mask in the text"),
        ("/", {"inputs": TEXT, "parameters": {"top_k": 101}}, 422, "less than or equal to 100"),
        ("/", {"inputs": TEXT, "parameters": {"targets": ["filmfood"]}}, 422, "'filmfood'"),
        ("/", {"inputs": ["[MASK] " * 50] * 3, "parameters": {"top_k": 100}}, 422, "15,000"),
        ("/v2/models/masks/infer", infer(TEXT, top_k=101), 422, "top_k is at most 100"),
        ("/v2/models/masks/infer", infer(TEXT, coverage=0.9), 422, "not withheld"),
        ("/predict", {"inputs": TEXT}, 424, "fill-mask"),
        ("/models/film/pipeline/fill-mask", {"inputs": TEXT}, 404, "no masked-LM head"),
        ("/models/masks/explain", {"texts": [TEXT]}, 422, "no prediction to explain"),
        ("/models/masks/corrections", {"texts": [TEXT], "gold": "a"}, 422, "bertft pretrain"),
        ("/models/masks/file?type=csv", {}, 422, "bertft fill-mask FILE"),
    ],
)
def test_what_cannot_be_met_is_refused(
    live: Live, path: str, body: Any, status: int, said: str
) -> None:
    found, fault, _ = live.ask(path, body)
    assert (found, said in fault["error"]) == (status, True), fault


def test_names_of_models(pretrained: Path, trained: Path) -> None:
    asked = asked_models([str(pretrained), f"film={trained}", "bert-base-uncased"])
    assert [one.name for one in asked] == [pretrained.name, "film", "bert-base-uncased"]
    with pytest.raises(BertftError, match="no run directory nowhere"):
        asked_models(["nowhere"])


def test_a_model_without_the_head_is_refused(tiny: Path) -> None:
    models = Models([Asked("bare", str(tiny))], device="cpu", precision="fp32")
    with pytest.raises(ModelError, match="carries no trained masked-LM head; choose another"):
        models.load("bare")
