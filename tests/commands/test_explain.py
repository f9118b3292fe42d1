"""explain: attention is that of transformers, attributions are complete, the page is safe."""

from __future__ import annotations

import base64
import json
import re
import shutil
import struct
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from samples import BAD, GOOD, Command
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

import bertft
from bertft.commands.explain import explain
from bertft.errors import BertftError
from bertft.inside.request import EncoderRequest, ExplainRequest
from bertft.prediction.texts import TextRequest
from bertft.reports.explain_page import packed, script_json, template
from bertft.reports.picture import KINDS, ZOOM, picture_output
from bertft.watch import Silent

SVG = "{http://www.w3.org/2000/svg}"
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


def test_too_few_steps_are_told(command: Command, trained: Path) -> None:
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


@pytest.mark.parametrize("flag", ["--run", "--model"])
def test_a_picture_has_a_bar_for_each_word(command: Command, trained: Path, flag: str) -> None:
    where = [flag, str(trained if flag == "--run" else trained / "best")]
    code, out, err = command("explain", "a <b> 영화 &", *where, "--json", "--out", "bars.svg")
    assert code == 0, err
    (result,) = map(json.loads, out.splitlines())
    picture = ElementTree.parse("bars.svg").getroot()
    texts = [one.text for one in picture.iter(f"{SVG}text")]
    values = (
        [one["attribution"] for one in result["explanations"][0]["words"]]
        if (flag == "--run")
        else result["rollout"]
    )
    widths = [float(one.attrib["width"]) for one in picture.iter(f"{SVG}rect")][1:]
    assert np.corrcoef(widths, np.abs(values))[0, 1] > 0.999
    assert [f"{value:.3f}" for value in values] == texts[3::2]
    assert {"a", "영화" if flag == "--run" else "film"} & set(texts)


def test_a_png_is_that_picture(command: Command, trained: Path) -> None:
    for out in ("bars.svg", "bars.png"):
        code, _, err = command("explain", "good film", "--run", str(trained), "--out", out)
        assert code == 0, err
    size = ElementTree.parse("bars.svg").getroot().attrib
    content = Path("bars.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == (ZOOM * int(size["width"]), ZOOM * int(size["height"]))
    before = Path("bars.png").stat().st_mtime_ns
    code, _, err = command("explain", "good film", "--run", str(trained), "--out", "bars.png")
    assert code == 2
    assert "bars.png exists already" in err
    assert Path("bars.png").stat().st_mtime_ns == before


def test_characters_without_a_font_are_told(tmp_path: Path) -> None:
    """The private use area has none anywhere."""
    told: list[str] = []

    class Ear(Silent):
        def note(self, text: str) -> None:
            told.append(text)

    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>{}</text></svg>'
    for suffix in KINDS:
        with picture_output(str(tmp_path / f"a{suffix}"), overwrite=False, watch=Ear()) as draw:
            draw(svg.format("\U000ff123"))
    assert len(told) == 1, "an SVG is drawn elsewhere"
    assert told[0].startswith("1 characters have no font here and are not drawn: \U000ff123;")

    with picture_output(str(tmp_path / "b.png"), overwrite=False, watch=Ear()) as draw:
        draw(svg.format("\x01"))  # which XML cannot hold


def test_too_many_explanations_for_a_picture(command: Command, trained: Path) -> None:
    Path("many.txt").write_text("fun\n" * 21, encoding="utf-8")
    code, _, err = command("explain", "many.txt", "--run", str(trained), "--out", "bars.svg")
    assert code == 2
    assert "21 explanations are too many for a picture, which holds 20" in err
    assert not list(Path().glob("bars*"))


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
