"""The page of a server in a real browser: what it offers for each task, and to whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bases import ROWS, request, write
from browser import browser, overflow
from live_server import Live, serving, until
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

import bertft
from bertft.jobs.prepare import prepare
from bertft.jobs.request import read_recipe
from bertft.watch import Silent

ASKED: dict[str, list[str]] = {
    "classification": ["a very good film"],
    "multi-label": ["a very bad film"],
    "nli": ["it is good", "it is very bad"],
    "ner": ["we love food \U0001f600 food"],
    "regression": ["we love it"],
    "qa": ["is it good", "we love the good food"],
}
"""None stands in the training data, from which dev keeps what it has."""
CONTROLS = "button, input, select, textarea, summary, a[href]"


@pytest.fixture(scope="module")
def live(
    bases: dict[str, Path], pretrained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """A run of each kind, called by it, and a model with a masked-LM head."""
    runs = bases | {"masks": pretrained}
    with serving(runs, tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def page(chromium: Chrome, live: Live) -> Iterator[Chrome]:
    """The page, opened once; in the end nothing was complained of or asked for elsewhere."""
    chromium.get(live.address)
    wait(chromium, lambda: shown(chromium, "#inputs textarea"))
    yield chromium
    assert chromium.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [one["params"] for one in events if one["method"] == "Network.requestWillBeSent"]
    urls = [one["request"]["url"] for one in asked if one["documentURL"].startswith("http")]
    assert [one for one in urls if not one.startswith((live.address, "blob:", "data:"))] == []


def wait(page: Chrome, condition: Any) -> Any:
    return WebDriverWait(page, 20).until(lambda _: condition())


def one(page: Chrome, selector: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, selector)


def shown(page: Chrome, selector: str) -> list[WebElement]:
    """Those that are seen."""
    return [one for one in page.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]


def speak(page: Chrome, language: str) -> None:
    if one(page, "html").get_attribute("lang") != language:
        one(page, "#language").click()


def choose(page: Chrome, kind: str) -> None:
    Select(one(page, "#model")).select_by_visible_text(kind)
    wait(page, lambda: one(page, "#name").text == kind)


def predict(page: Chrome, kind: str) -> None:
    """By keyboard: texts, and Ctrl + Enter."""
    choose(page, kind)
    page.execute_script("document.getElementById('result').replaceChildren()")
    boxes = shown(page, "#inputs textarea")
    for box, text in zip(boxes, ASKED[kind], strict=True):
        page.execute_script("arguments[0].value = arguments[1]", box, text)  # no emoji by keys
    boxes[-1].send_keys(Keys.CONTROL, Keys.ENTER)
    wait(page, lambda: shown(page, "#result > *") and not one(page, "#status").text)


def explain(page: Chrome) -> None:
    one(page, "#why summary").click()
    wait(page, lambda: shown(page, "#reasons .tokens button"))


@pytest.mark.parametrize("kind", list(ASKED))
def test_an_answer_is_shown_and_what_it_rests_on(
    page: Chrome, bases: dict[str, Path], kind: str
) -> None:
    speak(page, "en")
    predict(page, kind)
    predictor = bertft.load(bases[kind], device="cpu", precision="fp32")
    columns = {"nli": ("premise", "hypothesis"), "qa": ("question", "context")}.get(kind, ("text",))
    due = predictor.predict(dict(zip(columns, ASKED[kind], strict=True)))
    result = one(page, "#result")
    if kind == "ner":
        marks = [mark.text.rsplit(" ", 1) for mark in shown(page, "#result mark")]
        assert marks == [[entity["text"], entity["label"]] for entity in due["entities"]]
        assert len(marks) == 2, "one stands behind a character of two halves"
    elif kind == "qa":
        assert due["answer"] in result.text
        assert one(page, "#result mark").text == due["answer"]
        other = shown(page, "#result .others button")[0]
        other.click()
        assert one(page, "#result mark").text == other.text
    elif kind == "regression":
        assert float(one(page, "#result b").text) == pytest.approx(due["value"], abs=1e-3)
    else:
        given = due["labels"] if kind == "multi-label" else [due["label"]]
        assert [row.text for row in shown(page, ".labels .given span:first-child")] == given
        first = shown(page, ".labels .number")[0].text
        assert first == f"{100 * max(due['scores'].values()):.1f} %"
    explain(page)
    words = shown(page, "#reasons .shown mark")
    assert {mark.get_attribute("class") for mark in words} <= {"for", "against"}
    assert [mark.text for mark in words][:2] == " ".join(ASKED[kind]).split()[:2]
    status = one(page, "#reasons .controls ~ p[aria-live]").text
    assert status.startswith("“[CLS]” attends to ")
    Select(shown(page, "#reasons .controls select")[0]).select_by_visible_text("Layer 2")
    Select(shown(page, "#reasons .controls select")[1]).select_by_visible_text("Head 1")
    assert one(page, "#reasons .controls ~ p[aria-live]").text != status


def test_masks_are_filled_in_their_text(page: Chrome, live: Live, bases: dict[str, Path]) -> None:
    speak(page, "ko")
    choose(page, "masks")
    assert not shown(page, "#files")
    (box,) = shown(page, "#inputs textarea")
    page.execute_script("arguments[0].value = 'the  is [MASK] \U0001f600'", box)
    page.execute_script("arguments[0].setSelectionRange(4, 4)", box)
    one(page, "#inputs button").click()
    text = "the [MASK] is [MASK] \U0001f600"
    assert box.get_attribute("value") == text
    assert page.switch_to.active_element == box
    box.send_keys(Keys.CONTROL, Keys.ENTER)
    wait(page, lambda: shown(page, "#result mark"))
    _, found, _ = live.ask("/v2/models/masks/infer", infer_body(text))
    due = json.loads(found["outputs"][0]["data"][0])["masks"]
    for mark, (best, *_) in zip(shown(page, "#result mark"), due, strict=True):
        assert mark.text == f"{best['token']} {100 * best['probability']:.1f} %"
    assert one(page, "#result .shown").text.endswith(" \U0001f600")
    lists = page.find_elements(By.CSS_SELECTOR, "#result .labels")
    assert [len(each.find_elements(By.TAG_NAME, "button")) for each in lists] == [5, 5]
    other = lists[1].find_elements(By.TAG_NAME, "button")[1]
    other.send_keys(Keys.ENTER)
    assert shown(page, "#result mark")[1].text.startswith(due[1][1]["token"] + " ")
    assert other.get_attribute("aria-pressed") == "true"
    assert not shown(page, "#correct")
    assert not shown(page, "#why")
    words = one(page, "body").text
    assert [word for word in ("Insert", "Write", "undefined") if word in words] == []
    controls = shown(page, CONTROLS)
    assert [each.get_attribute("outerHTML") for each in controls if not each.accessible_name] == []
    assert [overflow(page, width=width) for width in (1280, 390, 320)] == [0, 0, 0]
    assert faint(page) == {"light": [], "dark": []}


def infer_body(text: str) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    return {"inputs": [tensor]}


def test_paths_are_shown_in_the_language_of_the_page(page: Chrome, live: Live) -> None:
    speak(page, "ko")
    one(page, "#paths").send_keys(Keys.ENTER)
    wait(page, lambda: one(page, "h1").text == "이 서버의 경로")
    first = one(page, "details summary")
    first.send_keys(Keys.ENTER)
    assert shown(page, "details pre")[0].text == f"curl {live.address}/health"
    page.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert [overflow(page, width=width) for width in (1280, 390, 320)] == [0, 0, 0]
    assert faint(page) == {"light": [], "dark": []}
    one(page, "a[lang=en]").click()
    wait(page, lambda: one(page, "h1").text == "Paths of this server")
    one(page, "header a").click()
    wait(page, lambda: shown(page, "#inputs textarea"))


@pytest.mark.parametrize("kind", list(ASKED))
def test_a_correction_is_training_data(
    page: Chrome, live: Live, tiny: Path, tmp_path: Path, kind: str
) -> None:
    speak(page, "en")
    predict(page, kind)
    one(page, "#correct summary").click()
    if kind == "multi-label":
        for box in shown(page, "#gold input"):
            if not box.is_selected():
                box.click()
    elif kind == "regression":
        shown(page, "#gold input")[0].clear()
        shown(page, "#gold input")[0].send_keys("2.5")
    elif kind in ("ner", "qa"):
        select_last_word(page, "#in-text" if kind == "ner" else "#in-context")
        shown(page, "#gold button[type=button]")[0].click()
    one(page, "#gold button:not([type])").click()
    wait(page, lambda: one(page, "#saved").text)
    assert "data.further" in one(page, "#saved").text
    model = live.server.models.get(kind)
    assert model is not None
    file = live.server.corrections.path(model)
    assert str(file) in one(page, "#saved").text
    data = write(tmp_path / "data.jsonl", ROWS[kind])
    asked = request(kind, data, tiny, tmp_path / "out", f"data.further={json.dumps([str(file)])}")
    job = prepare(read_recipe(asked), asked, watch=Silent())
    assert len(job.splits["train"]) == len(ROWS[kind]) + 1


def select_last_word(page: Chrome, box: str) -> None:
    script = "const b = arguments[0]; b.setSelectionRange(b.value.length - 4, b.value.length)"
    page.execute_script(script, one(page, box))


GIVE = """
const [how, name, text] = arguments, data = new DataTransfer();
data.items.add(new File([text], name));
const drop = document.getElementById("drop");
if (how === "drop") drop.dispatchEvent(new DragEvent("drop", { dataTransfer: data }));
else document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
"""


@pytest.mark.parametrize("how", ["choose", "drop", "paste"])
def test_a_file_comes_back_with_predictions(
    page: Chrome, bases: dict[str, Path], tmp_path: Path, how: str
) -> None:
    speak(page, "en")
    choose(page, "classification")
    text = "id,text\n1,a good film\n2,i hate it\n"
    Select(one(page, "#format")).select_by_value("jsonl" if how == "paste" else "csv")
    if how == "choose":
        file = tmp_path / "texts.csv"
        file.write_text(text, encoding="utf-8")
        one(page, "#file").send_keys(str(file))
    else:
        page.execute_script(GIVE, how, "texts.csv", text)
    wait(page, lambda: shown(page, "#done a"))
    assert one(page, "#done").text.startswith("2 rows predicted.")
    place = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.execute_cdp_cmd("Browser.setDownloadBehavior", place)
    one(page, "#done a").click()
    found = tmp_path / ("texts-predictions.jsonl" if how == "paste" else "texts-predictions.csv")
    assert until(lambda: found.exists() and bool(found.stat().st_size))
    lines = found.read_text(encoding="utf-8-sig").splitlines()
    predictor = bertft.load(bases["classification"], device="cpu", precision="fp32")
    first, second = (one["label"] for one in predictor.predict(["a good film", "i hate it"]))
    if how == "paste":
        assert [json.loads(line)["label"] for line in lines] == [first, second]
    else:
        assert lines[1].startswith(f"1,a good film,{first},")
        assert lines[2].startswith(f"2,i hate it,{second},")


def rows_kept(live: Live, kind: str) -> list[dict[str, Any]]:
    model = live.server.models.get(kind)
    assert model is not None
    file = live.server.corrections.path(model)
    lines = file.read_text(encoding="utf-8").split("\n") if file.exists() else []
    return [json.loads(line) for line in lines if line]


def label_file(page: Chrome, kind: str, content: str) -> None:
    """Give the page a file, and begin to label its rows."""
    choose(page, kind)
    page.execute_script(GIVE, "drop", "texts.csv", content)
    wait(page, lambda: shown(page, "#done button"))
    shown(page, "#done button")[0].click()
    wait(page, lambda: shown(page, "#choices button"))


def press(page: Chrome, key: str, place: str) -> None:
    """A key, as the page stands, and wait until it says where it is."""
    ActionChains(page).send_keys(key).perform()
    wait(page, lambda: one(page, "#place").text.startswith(place))


def test_a_file_is_labelled_by_keys_the_least_certain_first(
    page: Chrome, live: Live, bases: dict[str, Path]
) -> None:
    speak(page, "en")
    texts = ["a good film", "i hate it", "the film is slow 😀"]
    before = rows_kept(live, "classification")
    label_file(page, "classification", "text\n" + "\n".join(texts) + "\n")
    predictor = bertft.load(bases["classification"], device="cpu", precision="fp32")
    answers = sorted(predictor.predict(texts), key=lambda answer: answer["score"])
    labels = list(predictor.task.labels)
    assert one(page, "#in-text").get_attribute("value") == answers[0]["text"]
    assert page.switch_to.active_element.text.endswith(f" {answers[0]['label']}")
    press(page, "2", "Row 2 of 3, the least certain first.")
    press(page, Keys.ENTER, "Row 3 of 3")  # as the model says
    due = [
        {"text": answers[0]["text"], "label": labels[1]},
        {"text": answers[1]["text"], "label": answers[1]["label"]},
    ]
    assert rows_kept(live, "classification")[len(before) :] == due
    press(page, "u", "Row 2 of 3")
    assert rows_kept(live, "classification")[len(before) :] == due[:1]
    press(page, "s", "Row 3 of 3")
    press(page, "1", "2 rows labelled. Kept in ")
    due[1] = {"text": answers[2]["text"], "label": labels[0]}
    assert rows_kept(live, "classification")[len(before) :] == due
    press(page, "u", "Row 3 of 3")
    press(page, "u", "Row 1 of 3")
    assert rows_kept(live, "classification") == before
    assert not one(page, "#undo").is_enabled()
    controls = shown(page, CONTROLS)
    assert [each.get_attribute("outerHTML") for each in controls if not each.accessible_name] == []
    assert [overflow(page, width=width) for width in (1280, 390, 320)] == [0, 0, 0]
    speak(page, "ko")
    assert one(page, "#place").text == "3개 가운데 1번째 행(확신이 낮은 것부터)."
    one(page, "#end").click()
    assert not shown(page, "#series")


def test_entities_of_a_file_are_right_or_are_put_right(page: Chrome, live: Live) -> None:
    speak(page, "ko")
    before = rows_kept(live, "ner")
    label_file(page, "ner", "text\nwe love food\none,more\nthe film is slow\n")
    assert one(page, "#status").text.startswith("읽지 못한 행 1개는 뺐습니다.")
    first = one(page, "#in-text").get_attribute("value")
    entities = [mark.text for mark in shown(page, "#result mark")]
    press(page, Keys.ENTER, "2개 가운데 2번째")
    select_last_word(page, "#in-text")
    second = one(page, "#in-text").get_attribute("value")
    shown(page, "#gold button[type=button]")[0].click()
    one(page, "#gold button:not([type])").click()
    wait(page, lambda: one(page, "#place").text.startswith("2개 행에"))
    kept = rows_kept(live, "ner")[len(before) :]
    assert [row["text"] for row in kept] == [first, second]
    assert len(kept[0]["entities"]) == len(entities)
    assert kept[1]["entities"][-1]["end"] == len(second)
    one(page, "#end").click()


def test_only_what_is_kept_is_taken_back(live: Live) -> None:
    path, body = "/models/classification/corrections", {"texts": ["never kept"], "gold": "good"}
    code, found, _ = live.ask(path, body, method="DELETE")
    assert (code, found["error"]) == (404, "no such correction is kept")


def test_a_file_that_cannot_be_read_is_told(page: Chrome) -> None:
    page.execute_script(GIVE, "drop", "texts.exe", "MZ")
    wait(page, lambda: "fault" in str(one(page, "#done").get_attribute("class")))
    page.get_log("browser")  # the browser notes the refusal, too


def test_it_speaks_korean(page: Chrome) -> None:
    speak(page, "ko")
    predict(page, "qa")
    explain(page)
    assert one(page, "#predict").text == "예측"
    one(page, "#correct summary").click()
    words = one(page, "body").text
    assert "지문" in words
    assert "신뢰도" in words
    assert "어텐션" in words
    english = ("Predict", "Passage", "confidence", "Attention", "Other", "This", "undefined")
    assert [word for word in english if word in words] == []


def test_a_phone_shows_all_of_it(page: Chrome) -> None:
    for kind, language in (("qa", "en"), ("ner", "ko"), ("nli", "ko")):
        speak(page, language)
        predict(page, kind)
        explain(page)
        one(page, "#correct summary").click()
        assert [overflow(page, width=width) for width in (1280, 390, 320)] == [0, 0, 0], kind


def test_every_control_has_a_name_and_is_reached_by_keyboard(page: Chrome) -> None:
    for kind in ("ner", "multi-label"):
        predict(page, kind)
        explain(page)
        one(page, "#correct summary").click()
        controls = shown(page, CONTROLS)
        assert [one.get_attribute("outerHTML") for one in controls if not one.accessible_name] == []
        page.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
        one(page, "#model").send_keys("")
        reached = {page.switch_to.active_element.id}
        for _ in controls:
            ActionChains(page).send_keys(Keys.TAB).perform()
            reached.add(page.switch_to.active_element.id)
        enabled = {one.id for one in controls if one.is_enabled()}
        assert len(enabled - reached) == 0


def test_it_is_readable_in_the_dark(page: Chrome) -> None:
    """Letters stand out from what is behind them, by 4.5 to 1 at the least."""
    predict(page, "ner")
    explain(page)
    assert faint(page) == {"light": [], "dark": []}


def faint(page: Chrome) -> dict[str, list[Any]]:
    """What does not stand out enough from what is behind it."""
    found = {}
    for mode in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": mode}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        found[mode] = page.execute_script(CONTRAST)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    return found


CONTRAST = """
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const paint = canvas.getContext("2d", { willReadFrequently: true });
function over(under, colour) {
  for (const one of [`rgb(${under.join()})`, colour]) {
    paint.fillStyle = one;
    paint.fillRect(0, 0, 1, 1);
  }
  return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
function behind(node) {
  if (!node) return [255, 255, 255];
  const style = getComputedStyle(node);
  const plain = over(behind(node.parentElement), style.backgroundColor);
  const tint = node.localName === "button" && style.backgroundImage.match(/rgb[^)]*\\)/);
  return tint ? over(plain, tint[0]) : plain;
}
function light(colour) {
  const [r, g, b] = colour.map(one => one / 255)
    .map(one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
}
const hasText = node => [...node.childNodes].some(one => one.nodeType === 3 && one.data.trim());
return [...document.querySelectorAll("body *")]
  .filter(node => node.checkVisibility() && !node.matches(":disabled, option") && hasText(node))
  .map(node => {
    const under = behind(node), letters = over(under, getComputedStyle(node).color);
    const [a, b] = [light(letters), light(under)];
    return [node.outerHTML.slice(0, 120), Math.max(a, b) / Math.min(a, b)];
  })
  .filter(([, contrast]) => contrast < 4.5);
"""


def test_who_has_the_key_is_let_in(
    chromium: Chrome, page: Chrome, bases: dict[str, Path], tmp_path: Path
) -> None:
    """The page is open to all, its model is not."""
    page.get_log("browser")
    with serving({"film": bases["classification"]}, tmp_path, key="k" * 20) as live:
        chromium.switch_to.new_window("tab")
        chromium.get(live.address)
        wait(chromium, lambda: shown(chromium, "#secret"))
        assert not shown(chromium, "#inputs textarea")
        one(chromium, "#secret").send_keys("k" * 20, Keys.ENTER)
        wait(chromium, lambda: shown(chromium, "#inputs textarea"))
        shown(chromium, "#inputs textarea")[0].send_keys("a good film", Keys.CONTROL, Keys.ENTER)
        wait(chromium, lambda: shown(chromium, "#result b"))
        chromium.close()
    chromium.switch_to.window(chromium.window_handles[0])
    chromium.get_log("browser")
    chromium.get_log("performance")
