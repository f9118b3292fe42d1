"""A server on loopback, asked by real clients: answers are those of predict, faults have a line."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import InferenceClient, constants
from live_server import Live, serving, until

import bertft
from bertft.serving.limits import Limits

TEXT = "a very good film"


@pytest.fixture(scope="module")
def answers(trained: Path) -> dict[str, Any]:
    predictor = bertft.load(trained, device="cpu", precision="fp32")
    return {text: predictor.predict(text) for text in (TEXT, "i hate it")}


def infer(texts: list[str], **parameters: Any) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    return {"inputs": [tensor], "parameters": parameters}


def test_hugging_faces_client_is_answered(
    live: Live, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    found = InferenceClient(model=live.address).text_classification(TEXT)
    due = answers[TEXT]["scores"]
    assert [one.label for one in found] == list(due)
    assert [one.score for one in found] == pytest.approx(list(due.values()), abs=1e-6)
    named = InferenceClient(model=live.address + "/models/film")
    assert len(named.text_classification(TEXT, top_k=1)) == 1
    base = live.address + "/models/film/pipeline/"
    vector = InferenceClient(model=base + "feature-extraction").feature_extraction(TEXT)
    assert vector.shape == (32,)
    alike = InferenceClient(model=base + "sentence-similarity").sentence_similarity(
        TEXT, other_sentences=[TEXT, "i hate it"]
    )
    assert alike[0] == pytest.approx(1, abs=1e-5)
    assert alike[1] < 0.999


def test_answers_are_those_of_predict(live: Live, answers: dict[str, Any]) -> None:
    status, found, _ = live.ask("/v2/models/film/infer", infer(list(answers)))
    assert status == 200
    for text, due in zip(found["outputs"][0]["data"], answers.values(), strict=True):
        answer = json.loads(text)
        assert answer.keys() == due.keys()
        assert answer["score"] == pytest.approx(due["score"], abs=1e-6)


def test_a_pair_is_no_batch_for_tei(live: Live) -> None:
    """``["a", "b"]`` is two texts at ``/`` and one pair at ``/predict``."""
    assert len(live.ask("/", {"inputs": ["a film", "b"]})[1]) == 2
    status, fault, _ = live.ask("/predict", {"inputs": ["a film", "b"]})
    assert (status, fault["error_type"]) == (422, "Validation")
    status, found, _ = live.ask("/predict", {"inputs": [["a film"], ["b"]]})
    assert status == 200
    assert [set(one[0]) for one in found] == [{"score", "label"}] * 2


def test_vectors_and_tokens(live: Live) -> None:
    _, (vector,), _ = live.ask("/embed", {"inputs": TEXT})
    assert sum(one * one for one in vector) == pytest.approx(1, abs=1e-4)
    _, found, _ = live.ask("/v1/embeddings", {"input": [TEXT], "model": "film"})
    assert found["data"][0]["embedding"] == pytest.approx(vector, abs=1e-6)
    _, (tokens,), _ = live.ask("/tokenize", {"inputs": TEXT})
    assert [TEXT[one["start"] : one["stop"]] for one in tokens if not one["special"]] == [
        *TEXT.split()
    ]
    _, ranks, _ = live.ask("/rerank", {"query": TEXT, "texts": ["i hate it", TEXT]})
    assert [one["index"] for one in ranks] == [1, 0]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/", b'{"inputs": 3}', 422),
        ("/", b"not json", 422),
        ("/", b'{"inputs": "a", "more": 1}', 422),
        ("/", b'{"inputs": NaN}', 422),
        ("/", b'{"inputs": "\\ud800"}', 422),
        ("/", b'{"inputs": ""}', 422),
        ("/", b"[" * 100_000, 422),
        ("/", b'{"inputs": ' + b"[" * 40 + b"]" * 40 + b"}", 422),
        ("/", b'{"inputs": []}', 400),
        ("/", json.dumps({"inputs": ["a"] * 33}).encode(), 413),
        ("/", b'{"inputs": "a\\u0000film"}', 200),
        ("/models/other", b'{"inputs": "a"}', 404),
        ("/nowhere", b"{}", 404),
        ("/health", b"{}", 405),
        ("/v2/models/film/infer", b'{"inputs": []}', 422),
        ("/models/film/file?type=exe", b"MZ", 422),
    ],
)
def test_what_cannot_be_met_is_refused(live: Live, path: str, body: bytes, status: int) -> None:
    found, content, _ = live.ask(path, body=body)
    assert found == status, content
    if status != 200:
        assert content["error"]
        assert content["error_type"]
    assert live.ask("/", {"inputs": TEXT})[0] == 200


def test_nothing_that_was_typed_is_logged(live: Live) -> None:
    live.ask("/models/film?secret=word", {"inputs": "unheard-of"})
    assert until(lambda: live.log[-1]["route"] == "/models/{name}")
    told = json.dumps(list(live.log))
    assert "unheard-of" not in told
    assert "secret" not in told


def test_other_sites_and_bent_names_are_refused(live: Live) -> None:
    assert live.ask("/", {"inputs": TEXT}, Origin="https://example.org")[0] == 403
    assert live.ask("/", {"inputs": TEXT}, Host="example.org")[0] == 403
    assert live.ask("/", {"inputs": TEXT}, Origin=live.address)[0] == 200


def test_the_document_names_paths_that_answer(live: Live) -> None:
    _, document, _ = live.ask("/openapi.json")
    assert "/models/film/predict" in document["paths"]
    for path, methods in document["paths"].items():
        if "get" in methods:
            assert live.ask(path)[0] == 200, path
        else:
            assert live.ask(path, {})[0] == 422, path


def test_a_file_comes_back_with_answers(live: Live) -> None:
    body = b"id,review\n1,a good film\n2,\n3,awful and dull\n"
    status, content, headers = live.ask("/models/film/file?type=csv&out=csv", body=body)
    assert status == 200, content
    rows = content.splitlines()
    assert rows[0].startswith("id,review,predicted_label,probability")
    assert len(rows) == 4
    assert headers["x-rows"] == "3"


def test_corrections_are_training_data(live: Live, tmp_path: Path) -> None:
    path = "/models/film/corrections"
    assert live.ask(path, {"texts": [TEXT], "gold": "bad"})[0] == 201
    assert live.ask(path, {"texts": [TEXT], "gold": "odd"})[0] == 422
    file = live.server.corrections.path(live.server.models.get("film"))  # type: ignore[arg-type]
    (row,) = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert row == {"text": TEXT, "label": "bad"}


def test_a_key_is_asked_for(trained: Path, tmp_path: Path) -> None:
    with serving({"film": trained}, tmp_path, key="k" * 20) as live:
        assert live.ask("/", {"inputs": TEXT})[0] == 401
        assert live.ask("/", {"inputs": TEXT}, Authorization="Bearer wrong")[0] == 401
        assert live.ask("/", {"inputs": TEXT}, Authorization="Bearer " + "k" * 20)[0] == 200
        assert live.ask("/metrics")[0] == 401
        assert live.ask("/health")[0] == 200


def test_a_damaged_run_does_not_replace_a_good_one(trained: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    with serving({"film": run}, tmp_path) as live:
        before = live.server.models.get("film")
        assert live.ask("/admin/reload", {})[0] == 200
        again = live.server.models.get("film")
        assert again is not before
        weights = run / "best" / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        status, fault, _ = live.ask("/admin/reload", {"model": "film"})
        assert status == 424
        assert "stays as it was" in fault["error"]
        assert live.server.models.get("film") is again
        assert live.ask("/", {"inputs": TEXT})[0] == 200


def test_limits_hold(trained: Path, tmp_path: Path) -> None:
    limits = Limits(body_bytes=2000, connections=8, header_seconds=0.5, body_seconds=0.5)
    with serving({"film": trained}, tmp_path, limits=limits) as live:
        assert live.ask("/", {"inputs": "a" * 3000})[0] == 413
        port = int(live.address.rpartition(":")[2])
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for one in slow:
            one.sendall(b"POST / HTTP/1.1\r\n")
        assert until(lambda: all(_is_closed(one) for one in slow)), "slow headers are ended"
        half = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{"
        with socket.create_connection(("127.0.0.1", port)) as one:
            one.sendall(half)
            assert b" 408 " in one.recv(200)
        assert live.ask("/", {"inputs": TEXT})[0] == 200
        for one in slow:
            one.close()


def _is_closed(one: socket.socket) -> bool:
    one.settimeout(0.01)
    try:
        return one.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_full_queue_is_told_and_clients_that_left_are_not_computed(
    trained: Path, tmp_path: Path
) -> None:
    limits = Limits(queue=4, deadline=3)
    with serving({"film": trained}, tmp_path, limits=limits) as live:
        model = live.server.models.get("film")
        assert model is not None
        go, seen = threading.Event(), list[int]()
        compute = model.predictor.logits

        def stuck(encoded: Any) -> Any:
            seen.extend(map(len, encoded))
            go.wait(20)
            return compute(encoded)

        model.predictor.logits = stuck  # type: ignore[method-assign]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: live.ask("/", {"inputs": TEXT}), range(8)))
        codes = sorted(status for status, _, _ in found)
        assert set(codes) == {429, 504}
        assert all(headers["retry-after"] for _, _, headers in found)
        assert live.ask("/health")[0] == 200, "the event loop is free"
        go.set()
        # On a slow machine some of these are late as well, and are computed: they are longer.
        assert until(lambda: live.ask("/", {"inputs": f"{TEXT} {TEXT}"})[0] == 200)
        assert seen.count(min(seen)) <= 3, "those who were told 504 are not computed"


def test_a_client_that_goes_leaves_the_queue(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    model = live.server.models.get("film")
    assert model is not None
    go, seen = threading.Event(), list[int]()
    compute = model.predictor.logits

    def stuck(encoded: Any) -> Any:
        seen.extend(map(len, encoded))
        go.wait(20)
        return compute(encoded)

    monkeypatch.setattr(model.predictor, "logits", stuck)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(live.ask, "/", {"inputs": TEXT})
        assert until(lambda: bool(seen))
        body = json.dumps({"inputs": TEXT * 3}).encode()
        head = f"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", int(live.address.rpartition(":")[2]))) as one:
            one.sendall((head.encode() + body) * 2)
            waiting = "bertft_queue 2.0"
            assert until(lambda: waiting in live.ask("/metrics")[1]), "both are in the queue"
        assert until(lambda: any(line["status"] == 499 for line in live.log))
        go.set()
        assert first.result()[0] == 200
    assert live.ask("/", {"inputs": TEXT})[0] == 200
    assert set(seen) == {seen[0]}, "the longer text of the one who left is not computed"
