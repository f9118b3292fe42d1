"""The pages that bertft writes, opened in a real browser: Chromium, without a window."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import browser, overflow
from samples import Command
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from bertft.reports.page import About
from bertft.reports.report import write_report
from bertft.training.history import read_history

HOSTILE = (
    "<img src=x onerror=alert(1)> a good </script><script>alert(2)</script> film " + 90 * "long"
)
WIDE, NARROW = 1200, 400
Open = Callable[[Path], Chrome]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser that keeps a log of its console and of what it asks the network for."""
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture
def opened(chromium: Chrome) -> Iterator[Open]:
    """Opens a page; when the test is over, nothing was complained of or asked for."""
    addresses = []
    empty_logs(chromium)

    def open_file(path: Path) -> Chrome:
        addresses.append(path.resolve().as_uri())
        chromium.set_window_size(WIDE, 900)
        chromium.get(addresses[-1])
        return chromium

    yield open_file
    assert chromium.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [one["params"] for one in events if one["method"] == "Network.requestWillBeSent"]
    # The browser's own first page may still be loading.
    ours = [one for one in asked if not one["documentURL"].startswith("chrome")]
    assert [one["request"]["url"] for one in ours] == addresses


def empty_logs(browser: Chrome) -> None:
    for kind in ("browser", "performance"):
        browser.get_log(kind)


def tokens(article: Any) -> list[Any]:
    return list(article.find_elements(By.CSS_SELECTOR, ".tokens button"))


def shown(article: Any) -> np.ndarray:
    """The weights that the drawing tells, one for each token."""
    return np.array([float(one.get_attribute("title").split()[0]) for one in tokens(article)]) / 100


def strengths(article: Any) -> list[float]:
    """The strength of the colour of each token, as it is drawn."""
    read = "return getComputedStyle(arguments[0]).getPropertyValue('--strength')"
    return [float(article.parent.execute_script(read, one)) for one in tokens(article)]


def choose(article: Any, name: str, value: str) -> None:
    for label in article.find_elements(By.CSS_SELECTOR, ".controls label"):
        if label.text.startswith(name):
            Select(label.find_element(By.TAG_NAME, "select")).select_by_visible_text(value)


@pytest.fixture
def explained(command: Command, trained: Path) -> tuple[Path, list[dict[str, Any]]]:
    """A page of two texts, and what it is made of."""
    flags = ["--run", str(trained), "--attention", "--out", "page.html"]
    code, out, err = command("explain", "a very good film", HOSTILE, *flags)
    assert code == 0, err
    return Path("page.html"), [json.loads(line) for line in out.splitlines()]


def test_the_explain_page_draws_the_attention_that_is_chosen(
    opened: Open, explained: tuple[Path, list[dict[str, Any]]]
) -> None:
    page, (result, _) = explained
    browser = opened(page)
    attention = np.array(result["attention"])  # [n, heads, L, L]
    article = browser.find_element(By.TAG_NAME, "article")
    names = ["[CLS]", "a", "very", "good", "film", "[SEP]"]
    assert [one.text for one in tokens(article)] == names
    drawn = [strengths(article)]
    assert np.abs(shown(article) - result["rollout"]).max() < 0.003
    for head, due in (("mean of heads", attention[1].mean(axis=0)), ("head 2", attention[1, 1])):
        choose(article, "layer", "layer 2")
        choose(article, "head", head)
        assert np.abs(shown(article) - due[0]).max() < 0.003
        drawn.append(strengths(article))
    ActionChains(browser).move_to_element(tokens(article)[3]).perform()
    assert np.abs(shown(article) - attention[1, 1, 3]).max() < 0.003
    drawn.append(strengths(article))
    status = article.find_element(By.CSS_SELECTOR, "[aria-live]").text
    best = int(attention[1, 1, 3].argmax())
    assert status.startswith(f"“good” attends to “{names[best]}” ")
    choose(article, "show", "what attends to it")
    ActionChains(browser).move_to_element(article.find_element(By.TAG_NAME, "h2")).perform()
    assert np.abs(shown(article) - attention[1, 1, :, 0]).max() < 0.003, "the mouse has left"
    drawn.append(strengths(article))
    assert len({tuple(one) for one in drawn}) == len(drawn)
    assert all(max(one) == pytest.approx(0.6, abs=1e-3) for one in drawn)


def test_the_explain_page_is_used_by_keyboard(
    opened: Open, explained: tuple[Path, list[dict[str, Any]]]
) -> None:
    browser = opened(explained[0])
    article = browser.find_element(By.TAG_NAME, "article")
    first, second = tokens(article)[:2]
    first.click()
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element == second
    pressed = [one.get_attribute("aria-pressed") for one in tokens(article)]
    assert pressed == ["false", "true", *["false"] * 4]


def test_text_on_the_explain_page_stays_text(
    opened: Open, explained: tuple[Path, list[dict[str, Any]]]
) -> None:
    """No element comes of it, and no script runs: an alert would make every call fail."""
    browser = opened(explained[0])
    article = browser.find_elements(By.TAG_NAME, "article")[1]
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert article.find_element(By.CSS_SELECTOR, ".text").text == HOSTILE
    assert tokens(article)


def test_a_page_fits_its_window(
    opened: Open, explained: tuple[Path, list[dict[str, Any]]], command: Command, trained: Path
) -> None:
    """explain's page, the report of a run, a word in context: no scripts fail, nothing is cut."""
    flags = ["--model", str(trained / "best"), "--out", "context.html"]
    code, _, err = command("context", "film", "a good film", "the film is bad", *flags)
    assert code == 0, err
    for page in (explained[0], trained / "report.html", Path("context.html")):
        browser = opened(page)
        assert browser.find_element(By.TAG_NAME, "h1").text
        assert [overflow(browser, width=width) for width in (WIDE, NARROW)] == [0, 0], page


def failing(folder: Path) -> Path:
    """A report with slices, words, mistakes of entities, and 40 labels that are confused."""
    entity = {"start": 0, "end": 4, "label": "person", "score": 0.9}
    rows: list[dict[str, Any]] = [
        {"id": str(i), "text": f"Anna sang {HOSTILE}", "entities": [entity] * (i % 2),
         "gold": [entity | {"end": 4 + i % 3}], "loss": 1.0, "source": "web" if i % 2 else "mail"}
        for i in range(300)
    ]  # fmt: skip
    (folder / "predictions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    names = [f"a long name of a label {i}" for i in range(40)]
    counts = {name: {name: 9, names[i - 1]: i} for i, name in enumerate(names)}
    scores = {"split": "test", "data": "d", "n": 300, "metric": "m", "baseline": {},
              "metrics": {"m": {"value": 0.5}}, "confusion": counts}  # fmt: skip
    write_report(folder, About("run", {"name": "ner"}, "", {}, read_history(())), scores)
    return folder / "report.html"


def test_where_a_model_fails_fits_a_phone_and_the_picture_scrolls(
    opened: Open, tmp_path: Path
) -> None:
    browser = opened(failing(tmp_path))
    assert overflow(browser, width=1280) == 0
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    device = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    wide = "[...document.querySelectorAll('.wide')]"
    each = "one => [!!one.querySelector('.confusion'), one.scrollWidth - one.clientWidth]"
    cut = browser.execute_script(f"return {wide}.map({each})")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [over for picture, over in cut if not picture] == [0] * (len(cut) - 1)
    assert [over > 0 for picture, over in cut if picture] == [True]
    fill = "return getComputedStyle(document.querySelector('.confusion rect')).fill"
    assert browser.execute_script(fill).startswith("rgb")


def test_pictures_follow_the_page_into_the_dark(opened: Open, trained: Path) -> None:
    """Lines and letters of the report's pictures stay readable, and no table is cut on a phone."""
    browser = opened(trained / "report.html")

    def seen(mode: str) -> list[str]:
        features = [{"name": "prefers-color-scheme", "value": mode}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        paths = "return [...document.querySelectorAll('g.series path')]"
        return list(browser.execute_script(f"{paths}.map(one => getComputedStyle(one).stroke)"))

    light, dark = seen("light"), seen("dark")
    assert len(light) == len(dark) >= 3
    assert all(one.startswith("rgb(") for one in light)
    assert all(one != other for one, other in zip(light, dark, strict=True))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    device = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    wide = "[...document.querySelectorAll('.wide')]"
    cut = browser.execute_script(f"return {wide}.map(one => one.scrollWidth - one.clientWidth)")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert set(cut) == {0}
