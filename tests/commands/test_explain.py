"""explain: attention is that of transformers, attributions are complete, the page is safe."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from samples import BAD, GOOD, Command
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from bertft.commands.encoders import EncoderRequest
from bertft.commands.explain import ExplainRequest, explain
from bertft.commands.explain_page import packed, script_json, template
from bertft.commands.texts import TextRequest
from bertft.commands.watch import Silent

HOSTILE = 'a </script><script>alert(1)</script> "good" <img src=x onerror=alert(2)> & film'


def explained(run: Path, *texts: str, **options: Any) -> list[dict[str, Any]]:
    request = ExplainRequest(
        texts=TextRequest(arguments=texts),
        encoder=EncoderRequest(run=str(run), device="cpu"),
        **options,
    )
    return list(explain(request, watch=Silent()))


def test_attention_is_that_of_transformers(command: Command, tiny: Path) -> None:
    code, out, err = command("explain", "a good film", "--model", str(tiny), "--attention")
    assert code == 0, err
    result = json.loads(out)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = AutoModel.from_pretrained(tiny, attn_implementation="eager")
    with torch.no_grad():
        due = model(**tokenizer("a good film", return_tensors="pt"), output_attentions=True)
    assert result["tokens"] == ["[CLS]", "a", "good", "film", "[SEP]"]
    assert result["places"] == [None, ["text", 0, 1], ["text", 2, 6], ["text", 7, 11], None]
    found = np.array(result["attention"])
    assert np.abs(found - torch.cat(due.attentions).numpy()).max() < 2e-5
    assert sum(result["rollout"]) == pytest.approx(1, abs=1e-4)


def test_attributions_are_complete(trained: Path) -> None:
    """Their sum is the difference of the logits, the closer the more steps."""
    errors = []
    for steps in (1, 4, 32):
        (result,) = explained(trained, "a very good film", steps=steps)
        (one,) = result["explanations"]
        errors.append(abs(one["error"]))
        total = sum(one["attributions"])
        assert total - (one["logit"] - one["baseline_logit"]) == pytest.approx(
            one["error"], abs=1e-4
        )
        assert sum(word["attribution"] for word in one["words"]) == pytest.approx(total, abs=1e-4)
        assert one["attributions"][0] == one["attributions"][-1] == 0, "special tokens are kept"
    assert errors[2] < 1e-3
    assert errors[2] < errors[0]
    folder = trained / "best"
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        logits = model(
            **AutoTokenizer.from_pretrained(folder)("a very good film", return_tensors="pt")
        ).logits[0]
    assert one["logit"] == pytest.approx(float(logits.max()), abs=1e-4)


def test_words_that_are_said_to_matter_do(trained: Path) -> None:
    """Mean over the texts that it was trained on; a text of two words leaves no choice."""
    texts = [text for text in GOOD + BAD if len(text.split()) > 2]
    tests = [one["explanations"][0]["faithfulness"] for one in explained(trained, *texts)]
    assert np.mean([one["top"] for one in tests]) > np.mean([one["random"] for one in tests]) + 0.02


def test_the_other_label(trained: Path) -> None:
    found = [explained(trained, "a good film", label=name)[0] for name in ("good", "bad")]
    assert [one["explanations"][0]["label"] for one in found] == ["good", "bad"]
    assert found[0]["explanations"][0]["logit"] != found[1]["explanations"][0]["logit"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--label", "goood"], "'goood' is none of the model's labels"),
        (["--word", "film"], "--word needs a ner model"),
        (["--question", "who?"], "--question needs a qa model"),
        (["--out", "a.png"], ".html only"),
    ],
)
def test_what_does_not_fit_is_refused(
    command: Command, trained: Path, flags: list[str], said: str
) -> None:
    code, _, err = command("explain", "a good film", "--run", str(trained), *flags)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


# --- the page -----------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Collects elements, and what scripts hold."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script":
            self.scripts[-1] += data
        self.text += data


def test_the_page_is_self_contained_and_hostile_text_stays_text(
    command: Command, trained: Path
) -> None:
    code, _, err = command("explain", HOSTILE, "fun", "--run", str(trained), "--out", "page.html")
    assert code == 0, err
    page = Path("page.html").read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    names = [name for name, _ in reader.elements]
    assert names.count("article") == 2
    assert names.count("script") == 3, "one for each text, and one that shows them"
    assert "img" not in names
    assert not any(set(found) & {"src", "href", "onerror"} for _, found in reader.elements)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "onerror=alert(2)" in reader.text
    view = json.loads(reader.scripts[0])
    assert "script" in view["tokens"] or any("s" in token for token in view["tokens"])
    weights = np.frombuffer(base64.b64decode(view["attention"]), dtype=np.uint8)
    assert weights.size == view["layers"] * view["heads"] * len(view["tokens"]) ** 2
    code, _, err = command("explain", "fun", "--run", str(trained), "--out", "page.html")
    assert code == 2
    assert "exists already" in err


def test_json_in_a_script_cannot_end_it() -> None:
    hostile = {"a": "</script><!--<script>&\u2028"}
    found = script_json(hostile)
    assert not set("<>&\u2028") & set(found)
    assert json.loads(found) == hostile


def test_weights_are_kept_to_half_a_step() -> None:
    weights = np.linspace(0, 1, 77)
    found = np.frombuffer(base64.b64decode(packed(weights)), dtype=np.uint8) / 255
    assert np.abs(found - weights).max() <= 0.5 / 255 + 1e-9


def test_the_script_of_the_page_is_valid(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine to read the script")
    (script,) = re.findall(r"<script>\n(.*?)</script>", template(), re.S)
    file = tmp_path / "page.js"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run([node, "--check", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
