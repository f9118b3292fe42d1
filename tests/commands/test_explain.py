"""explain: attention is that of transformers, attributions are complete, the page is safe."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import SCRIPTS, Page, checked
from samples import BAD, GOOD, Command
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

import bertft
from bertft.commands.explain import explain
from bertft.errors import BertftError
from bertft.inside.request import EncoderRequest, ExplainRequest
from bertft.prediction.texts import TextRequest
from bertft.reports.explain_page import packed
from bertft.reports.templating import frame
from bertft.watch import Silent

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
        (["--out", "a.gif"], ".svg or .png only"),
    ],
)
def test_what_does_not_fit_is_refused(
    command: Command, trained: Path, flags: list[str], said: str
) -> None:
    code, _, err = command("explain", "a good film", "--run", str(trained), *flags)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_too_few_steps_are_told(
    command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bertft.inside.explainer.MISSED", 1e-3)  # so small a model misses little
    rough, fine = (
        command("explain", "a very good film", "--run", str(trained), "--steps", steps)[2]
        for steps in ("1", "64")
    )
    assert re.search(r"1: attributions of good miss \S+ of \S+; --steps 4 comes closer", rough)
    assert "miss" not in fine


def test_python_explains_what_the_command_line_does(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    texts = ["a very good film", "i hate it"]
    code, out, err = command("explain", *texts, "--run", str(trained), "--json", "--device", "cpu")
    assert code == 0, err
    page = tmp_path / "page.html"
    found = bertft.explain(texts, run=trained, device="cpu", out=str(page))
    assert json.loads(json.dumps(found)) == [json.loads(line) for line in out.splitlines()]
    assert page.read_text(encoding="utf-8").count("<article>") == 2
    with pytest.raises(BertftError, match="'goood' is none of the model's labels"):
        bertft.explain(texts, run=trained, label="goood")
    assert bertft.explain([], run=trained) == []
    with pytest.raises(TypeError, match="a list of texts"):
        bertft.explain("one text", run=trained)


# --- pictures -----------------------------------------------------------------------------------


def test_a_picture_is_not_written_twice(command: Command, trained: Path) -> None:
    for code in (0, 2):
        found, _, err = command("explain", "good film", "--run", str(trained), "--out", "bars.png")
        assert found == code
    assert Path("bars.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "bars.png exists already" in err


def test_too_many_explanations_for_a_picture(command: Command, trained: Path) -> None:
    Path("many.txt").write_text("fun\n" * 21, encoding="utf-8")
    code, _, err = command("explain", "many.txt", "--run", str(trained), "--out", "bars.svg")
    assert code == 2
    assert "21 explanations are too many for a picture, which holds 20" in err
    assert not list(Path().glob("bars*"))


# --- the page -----------------------------------------------------------------------------------


def test_the_page_holds_every_text_and_what_the_script_draws(
    command: Command, trained: Path
) -> None:
    flags = ["--run", str(trained), "--attention", "--out", "page.html"]
    code, out, err = command("explain", HOSTILE, "fun", *flags)
    assert code == 0, err
    page = checked(Path("page.html").read_text(encoding="utf-8"), policy=SCRIPTS)
    assert page.tags.count("article") == 2
    assert len(page.scripts) == 3, "one for each text, and one that shows them"
    assert "".join(text for tag, text in page.texts if tag in ("p", "mark")).count(HOSTILE) == 1
    for script, line in zip(page.scripts, out.splitlines(), strict=False):
        view, result = json.loads(script), json.loads(line)
        weights = np.frombuffer(base64.b64decode(view["attention"]), dtype=np.uint8) / 255
        assert np.abs(weights - np.array(result["attention"]).ravel()).max() < 0.003
    answer = json.loads(out.splitlines()[0])["answer"]
    headings = [text for tag, text in page.texts if tag == "h2"]
    assert headings[0] == f"Predicted: {answer['label']}, probability {answer['score']:.2f}"


def test_weights_are_kept_to_half_a_step() -> None:
    weights = np.linspace(0, 1, 77)
    found = np.frombuffer(base64.b64decode(packed(weights)), dtype=np.uint8) / 255
    assert np.abs(found - weights).max() <= 0.5 / 255 + 1e-9


def test_the_script_of_the_page_is_valid(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine to read the script")
    *_, script = Page("".join(frame("explain.html.j2"))).scripts
    file = tmp_path / "page.js"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run([node, "--check", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
