"""`make docs`: the site is built without a warning, needs nothing from outside, is searched."""

from __future__ import annotations

import functools
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser, overflow
from docs.pages import ROOT, all_pages
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

RESOURCE = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*\s(?:src|href)=["'](?:https?:)?//"""
)
IMPORTED = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//""")
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
    assert done.returncode == 0, done.stderr
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
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("attention", "docs/en/tour.html"),
        ("어텐션", "docs/ko/tour.html"),
        ("둘러보기", "docs/ko/tour.html"),
    ],
)
def test_a_search_finds_the_page(chromium: Chrome, address: str, words: str, page: str) -> None:
    chromium.get(f"{address}/search.html?q={words}")
    found = WebDriverWait(chromium, 20).until(
        lambda one: one.find_elements(By.CSS_SELECTOR, "ul.search li a")
    )
    assert any(page in str(one.get_attribute("href")) for one in found)


def test_no_page_is_wider_than_its_window(chromium: Chrome, address: str, site: Path) -> None:
    wide = []
    for path in sorted(site.rglob("docs/**/*.html")):
        chromium.get(f"{address}/{path.relative_to(site)}")
        wide += [(path.name, width) for width in (1280, 390) if overflow(chromium, width=width)]
    assert wide == []
