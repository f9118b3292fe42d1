"""`make docs`: the site is built without a warning, needs nothing from outside, is searched.

The browser is that of the tests of other pages; without it only what is written is looked at.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.pages import ROOT, all_pages
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

RESOURCE = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["'](?:https?:)?//"""
    r"""|<link[^>]*\srel=["'](?:stylesheet|preload|icon|preconnect)[^>]*href=["'](?:https?:)?//"""
)
IMPORTED = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//""")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = ["-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", "-d", f"{folder}/trees"]
    done = subprocess.run(
        [sys.executable, *command, ".", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


def html(page: Path) -> str:
    return str(page.relative_to(ROOT).with_suffix(".html"))


def test_every_page_is_in_the_site(site: Path) -> None:
    assert [html(page) for page in all_pages() if not (site / html(page)).exists()] == []
    assert 'url=docs/index.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_nothing_comes_from_outside(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert RESOURCE.findall(path.read_text(encoding="utf-8")) == [], path
    for path in site.rglob("*.css"):
        assert IMPORTED.findall(path.read_text(encoding="utf-8")) == [], path


def test_a_page_says_its_language_and_links_to_the_other(site: Path) -> None:
    for language, other in (("en", "ko"), ("ko", "en")):
        for path in (site / "docs" / language).rglob("*.html"):
            text = path.read_text(encoding="utf-8")
            assert re.search(rf'<html[^>]* lang="{language}"', text), path
            up = "../" * len(path.relative_to(site / "docs" / language).parts)
            pair = f"{up}{other}/{path.relative_to(site / 'docs' / language)}"
            assert f'href="{pair}"' in text, path
            assert (path.parent / pair).exists(), path


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site, served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        reason = "no Chromium to open pages with (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("BERTFT_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    options = ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, OFFLINE, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    found = Chrome(options=options, service=Service(driver))
    yield found
    found.quit()


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("attention", "docs/en/tour.html"),
        ("어텐션", "docs/ko/tour.html"),
        ("둘러보기", "docs/ko/tour.html"),
    ],
)
def test_a_search_finds_the_page(browser: Chrome, address: str, words: str, page: str) -> None:
    browser.get(f"{address}/search.html?q={words}")
    found = WebDriverWait(browser, 20).until(
        lambda one: one.find_elements(By.CSS_SELECTOR, "ul.search li a")
    )
    assert any(page in str(one.get_attribute("href")) for one in found)


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_its_window(
    browser: Chrome, address: str, site: Path, width: int
) -> None:
    device = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    wide = []
    for path in sorted(site.rglob("docs/**/*.html")):
        browser.get(f"{address}/{path.relative_to(site)}")
        page = "document.documentElement"
        if browser.execute_script(f"return {page}.scrollWidth - {page}.clientWidth"):
            wide.append(str(path.relative_to(site)))
    assert wide == []
