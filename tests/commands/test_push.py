"""The model of a run on the Hub: a server that answers as the Hub has answered, the real client."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

REPO = "somebody/opinions"
RECORDED = {
    "exists": (409, {"error": "You already created this model repo", "url": "/" + REPO}),
    "no owner": (404, {"error": "Not Found"}),
    "not allowed": (403, {"error": "You don't have the rights to create a model under somebody"}),
    "unknown token": (401, {"error": "Invalid username or password."}),
    "broken": (400, {"error": "Bad request"}),
}
"""What the Hub answers to POST /api/repos/create."""


class Hub(ThreadingHTTPServer):
    """Keeps what it is sent; ``refusal`` names a recorded answer to the creation of a model."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.refusal = ""
        self.asked: list[str] = []
        self.created: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.large: dict[str, bytes] = {}
        self.tokens: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, content: dict[str, Any], code: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_GET(self) -> None:
        self.server.asked.append(f"GET {self.path}")
        self.answer({"sha": "0" * 40, "id": REPO, "siblings": []})

    def do_PUT(self) -> None:
        self.server.large[self.path.rpartition("/")[2]] = self.body()
        self.answer({})

    def do_POST(self) -> None:
        hub, body, path = self.server, self.body(), self.path.partition("?")[0]
        hub.asked.append(f"POST {path}")
        hub.tokens.add(self.headers.get("Authorization", ""))
        if path == "/api/repos/create":
            hub.created = json.loads(body)
            code, content = RECORDED.get(hub.refusal, (200, {"url": f"{hub.url}/{REPO}"}))
            self.answer(content, code)
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif path.endswith("/preupload/main"):
            large = ".safetensors"
            files = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(large) else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            self.answer({"files": files})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [
                one | {"actions": {"upload": {"href": f"{hub.url}/large/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self.answer({"transfer": "basic", "objects": objects})
        elif path.endswith("/commit/main"):
            for line in body.splitlines():
                one = json.loads(line)
                if one["key"] == "file":
                    hub.files[one["value"]["path"]] = base64.b64decode(one["value"]["content"])
                elif one["key"] == "lfsFile":
                    hub.files[one["value"]["path"]] = hub.large[one["value"]["oid"]]
            url = f"{hub.url}/{REPO}/commit/{'1' * 40}"
            self.answer({"success": True, "commitOid": "1" * 40, "commitUrl": url})
        else:
            self.answer({"error": f"unexpected {path}"}, 500)


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def push(
    endpoint: str, *arguments: str, token: str = "hf_of_a_test", offline: str = "0", home: Path
) -> tuple[int, str]:
    """The command in a process of its own: the client reads its environment once."""
    done = subprocess.run(
        [sys.executable, "-m", "bertft", "push", *arguments],
        env=os.environ
        | {
            "HF_ENDPOINT": endpoint,
            "HF_TOKEN": token,
            "HF_HOME": str(home / "hub"),
            "HF_HUB_OFFLINE": offline,
            "HF_HUB_DISABLE_XET": "1",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_best_goes_up_with_its_card_and_nothing_else(hub, run, tmp_path):
    (run / "best" / "notes.csv").write_text("text,label\nmine,good\n")
    code, said = push(hub.url, str(run), REPO, "--private", home=tmp_path)
    assert code == 0, said
    named = json.loads((run / "best" / "manifest.json").read_text(encoding="utf-8"))
    assert {*hub.files} == {*named, "manifest.json"}
    assert "model.safetensors" in hub.files
    for name, content in hub.files.items():
        assert content == (run / "best" / name).read_bytes(), name
    assert (hub.created["name"], hub.created["organization"]) == ("opinions", "somebody")
    assert hub.created.get("private") is True or hub.created.get("visibility") == "private"
    assert hub.tokens == {"Bearer hf_of_a_test"}
    assert "notes.csv is no part of the model and stays here" in said
    assert "bertft.json names the folder of the encoder: /" in said
    assert f"pushed  {hub.url}/{REPO}" in said


def test_a_dry_run_shows_all_and_sends_nothing(hub, run, tmp_path):
    code, said = push(hub.url, str(run), REPO, "--dry-run", token="", home=tmp_path)
    assert (code, hub.asked) == (0, [])
    assert "model.safetensors" in said
    assert " kB in all" in said
    assert "pipeline_tag: text-classification" in said
    assert f"nothing was sent: without --dry-run this goes to {REPO}" in said


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ("exists", f"{REPO} exists already; choose another name, or --update"),
        ("no owner", f"the Hub knows no owner of {REPO}, or hides it; check the name"),
        ("not allowed", f"the token may not write to {REPO}; use a token with write access"),
        ("unknown token", "the Hub does not know the token; hf auth login, or set HF_TOKEN"),
        ("broken", f"the Hub refused {REPO} (HTTP 400: "),
    ],
)
def test_a_refusal_is_one_line(hub, run, tmp_path, refusal, said):
    hub.refusal = refusal
    code, found = push(hub.url, str(run), REPO, home=tmp_path)
    assert code == 2
    last = found.splitlines()[-1]
    assert last.startswith(f"error: {said}")
    assert "Traceback" not in found
    assert hub.files == {}


def test_an_update_goes_to_a_model_that_exists(hub, run, tmp_path):
    hub.refusal = "exists"
    code, said = push(hub.url, str(run), REPO, "--update", home=tmp_path)
    assert code == 0, said
    assert "model.safetensors" in hub.files


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"token": ""}, "there is no token for the Hugging Face Hub; hf auth login, or set HF_TOK"),
        ({"offline": "1"}, "the Hub is switched off (HF_HUB_OFFLINE); unset it to push"),
        ({}, "the Hub cannot be reached ("),
    ],
)
def test_without_a_way_to_the_hub(run, tmp_path, fields, said):
    code, found = push("http://127.0.0.1:9", str(run), REPO, home=tmp_path, **fields)
    assert code == 2
    assert found.splitlines()[-1].startswith(f"error: {said}")


@pytest.mark.parametrize("name", ["opinions", "a/b/c", "some body/opinions", "somebody/"])
def test_a_name_that_is_none(command, run, name):
    code, _, err = command("push", str(run), name)
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith(f"error: '{name}'")


def test_a_damaged_model_stays_here(command, run):
    weights = run / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    shutil.rmtree(run / "last", ignore_errors=True)
    code, _, err = command("push", str(run), REPO, "--dry-run")
    assert code == 2
    assert "model.safetensors changed after saving" in err
