"""Pictures: what is drawn is what was given, in both kinds of files, and no text does harm."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertft.reports.bars import Bar, BarChart, Panel
from bertft.reports.charts import LETTERS, LineChart, Series, apart, short
from bertft.reports.picture import KINDS, VARIABLES, ZOOM, Chart, inline_svg, picture_output
from bertft.reports.reliability_chart import ReliabilityChart
from bertft.watch import Silent

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<b>&"]]></text><script>$\\frac$\x01\ufffe\ud800 배'


def lines(*names: str, low: float = 0.0, high: float = 1.0, **options: object) -> LineChart:
    series = [
        Series(name=name, points=[(0, high), (1, low + number * 1e-3)])
        for number, name in enumerate(names)
    ]
    given: dict[str, object] = {"title": "title", "across": "step", "up": "loss"} | options
    return LineChart(series=series, **given)  # type: ignore[arg-type]


def bars(*found: Bar, title: str = "1: good") -> BarChart:
    return BarChart(title="bars", panels=[Panel(title=title, said=["said"], bars=found)])


CHARTS: dict[str, Chart] = {
    "lines": lines("train", "dev"),
    "bars": bars(Bar("good", 0.5), Bar("passage", None), Bar("영화", -0.25)),
    "reliability": ReliabilityChart(
        title="calibration", bins=[(4, 0.6, 0.5)], before=[(4, 0.8, 0.5)]
    ),
}
EVERY_CHART = pytest.mark.parametrize("name", CHARTS)


class Ear(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def written(chart: Chart, path: Path, ear: Silent | None = None) -> bytes:
    with picture_output(str(path), overwrite=True, watch=ear or Silent()) as draw:
        draw(chart)
    return path.read_bytes()


def texts(root: ElementTree.Element) -> list[str]:
    return [(one.text or "").strip() for one in root.iter(f"{SVG}text")]


def groups(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [one for one in root.iter(f"{SVG}g") if one.get("class") == name]


def numbers(element: ElementTree.Element) -> np.ndarray:
    """The points [N, 2] of the path in a group."""
    path = next(element.iter(f"{SVG}path"))
    return np.array(re.findall(r"-?[\d.]+", path.attrib["d"]), dtype=float).reshape(-1, 2)


@EVERY_CHART
def test_a_file_says_what_it_shows_and_is_the_same_each_time(name: str, tmp_path: Path) -> None:
    chart = CHARTS[name]
    first, again = (written(chart, tmp_path / file) for file in ("a.svg", "b.svg"))
    assert first == again
    root = ElementTree.fromstring(first)
    assert root.get("role") == "img"
    assert str(root.get("aria-label")).startswith(f"{chart.title}. ")
    assert root[0].tag == f"{SVG}title"
    assert (root.get("width"), root.get("height")) == tuple(f"{one:g}" for one in chart.size)
    png = written(chart, tmp_path / "a.png")
    assert png == written(chart, tmp_path / "b.png")
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    size = struct.unpack(">II", png[16:24])
    assert size == tuple(round(ZOOM * one) for one in chart.size)


@EVERY_CHART
def test_a_page_gives_colours_and_fonts(name: str, tmp_path: Path) -> None:
    inline = inline_svg(CHARTS[name])
    assert not re.search(r"#[0-9a-f]{6}\b", inline)
    assert "font-family" not in inline
    assert set(re.findall(r"var\((--[\w-]+)\)", inline)) <= set(VARIABLES.values())
    sheet = Path(sys.modules["bertft"].__file__ or "").parent / "reports/templates/style.css"
    named = sheet.read_text(encoding="utf-8")
    assert all(named.count(f"{one}:") == 2 for one in VARIABLES.values()), "light and dark"
    assert "var(" not in written(CHARTS[name], tmp_path / "a.svg").decode()
    ids = set(re.findall(r' id="([^"]+)"', inline))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', inline)) == ids


class TestLines:
    def test_points_lie_where_they_should(self) -> None:
        values = [0.9, 0.2, 0.7, 0.4]
        chart = LineChart(
            title="t", across="x", up="y", bounds=(0, 1),
            series=[Series(name="one", points=list(enumerate(values)))],
        )  # fmt: skip
        (line,) = groups(ElementTree.fromstring(inline_svg(chart)), "series")
        found = numbers(line)
        assert np.corrcoef(found[:, 0], range(4))[0, 1] == pytest.approx(1)
        assert np.corrcoef(found[:, 1], values)[0, 1] == pytest.approx(-1)

    def test_an_axis_begins_near_the_values_and_says_so(self) -> None:
        chart = lines("1, 2", low=0.93, high=1.0, bounds=(-1, 1), up="similarity")
        shown = texts(ElementTree.fromstring(inline_svg(chart)))
        (said,) = [text for text in shown if text.startswith("similarity")]
        start = float(said.split("starts at ")[1])
        assert 0.9 <= start <= 0.93
        ticks = [float(one) for one in shown if re.fullmatch(r"[01]\.?\d*", one)]
        assert start in ticks

    @pytest.mark.parametrize(
        ("low", "high", "bounds"),
        [(0.004, 1.7, (0, 9)), (0.5, 0.5, (0, 1)), (1e-7, 3e-5, (0, 9)), (-0.2, 0.9, (-1, 1))],
    )
    def test_no_axis_leaves_its_bounds_and_its_ticks_are_round(
        self, low: float, high: float, bounds: tuple[float, float]
    ) -> None:
        chart = lines("", low=low, high=high, bounds=bounds)
        shown = texts(ElementTree.fromstring(inline_svg(chart)))
        ticks = [float(one) for one in shown if re.fullmatch(r"-?[\d.]+(e-?\d+)?", one)][2:]
        assert all(bounds[0] <= tick <= bounds[1] for tick in ticks)
        assert all(len(f"{tick:.9e}".split("e")[0].rstrip("0")) <= 4 for tick in ticks)

    def test_names_do_not_overprint(self) -> None:
        names = [f"{number}, {number + 1}" for number in range(12)]
        root = ElementTree.fromstring(inline_svg(lines(*names, size=(640, 400))))
        heights = sorted(
            float(one.attrib["y"]) for one in root.iter(f"{SVG}text")
            if (one.text or "").strip() in names
        )  # fmt: skip
        assert len(heights) == 12
        assert min(np.diff(heights)) > LETTERS - 1

    def test_a_line_of_one_point(self) -> None:
        chart = LineChart(
            title="t", across="x", up="y", series=[Series(name="a", points=[(3, 0.5)])]
        )
        assert len(groups(ElementTree.fromstring(inline_svg(chart)), "series")) == 1


class TestBars:
    def test_lengths_are_the_values(self) -> None:
        values = [0.5, -0.25, 0.0, 1.5]
        chart = bars(*(Bar(f"w{i}", value) for i, value in enumerate(values)))
        root = ElementTree.fromstring(inline_svg(chart))
        found = [numbers(one)[:, 0] for one in groups(root, "bar")]
        widths = [float(one.max() - one.min()) for one in found]
        assert np.corrcoef(widths, np.abs(values))[0, 1] == pytest.approx(1)
        assert found[1].max() == pytest.approx(found[0].min()), "they begin at zero"
        assert [f"{value:+.3f}" for value in values] == [
            text for text in texts(root) if re.fullmatch(r"[+-]\d\.\d{3}", text)
        ]

    def test_the_share_of_right_ones(self) -> None:
        bins, before = [(2, 0.25, 0.5), (3, 0.75, 1.0)], [(5, 0.5, 0.5)]
        chart = ReliabilityChart(title="t", bins=bins, before=before)
        root = ElementTree.fromstring(inline_svg(chart))
        ((left, low), (right, high)) = numbers(groups(root, "dot")[0])[:2]
        (start, zero), (end, one) = numbers(groups(root, "ideal")[0])[:2]
        assert (left - start) / (end - start) == pytest.approx(0.25, abs=0.01)
        assert (zero - low) / (zero - one) == pytest.approx(0.5, abs=0.01)
        assert (zero - high) / (zero - one) == pytest.approx(1.0, abs=0.01)
        assert right > left
        assert groups(root, "before")
        assert "before calibration" in " ".join(texts(root))


class TestTexts:
    @pytest.mark.parametrize("kind", KINDS)
    def test_hostile_text_stays_text(self, tmp_path: Path, kind: str) -> None:
        shape = {}
        for text in ("word", HOSTILE):
            chart = bars(Bar(text, 1.0), title=text)
            content = written(chart, tmp_path / f"a{kind}")
            if kind == ".svg":
                shape[text] = [one.tag for one in ElementTree.fromstring(content).iter()]
                shown = texts(ElementTree.fromstring(content))
        if kind == ".svg":
            assert shape["word"] == shape[HOSTILE]
            assert shown[0] == '<b>&"]]></text><script>$\\frac$\ufffd\ufffd\ufffd 배'

    def test_characters_without_a_font_are_told_of_a_png(self, tmp_path: Path) -> None:
        """The private use area has none anywhere."""
        ear = Ear()
        for kind in KINDS:
            written(bars(Bar("\U000ff123", 1.0)), tmp_path / f"a{kind}", ear)
        (told,) = ear.notes
        assert told.startswith("1 character has no font here and cannot be drawn: \U000ff123;")

    def test_a_file_that_is_there_is_left(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(b"mine")
        with (
            pytest.raises(Exception, match="exists already"),
            picture_output(str(path), overwrite=False, watch=Silent()),
        ):
            pass
        assert path.read_bytes() == b"mine"


@given(
    places=st.lists(st.floats(-1e4, 1e4, allow_nan=False), min_size=1, max_size=60),
    least=st.floats(0.5, 50),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_places_are_moved_apart_in_order(places: list[float], least: float) -> None:
    found = apart(places, least=least)
    order = np.argsort(places, kind="stable")
    assert all(np.diff(np.array(found)[order]) >= least * (1 - 1e-6) - 1e-6)
    if len(places) == 1 or min(np.diff(np.sort(places))) >= least:
        assert found == pytest.approx(places)


@pytest.mark.parametrize(
    ("value", "small", "due"),
    [(0.25, False, "0.25"), (0, True, "0"), (2.5e-5, True, "2.5e-5"), (1200, False, "1200")],
)
def test_numbers_at_an_axis(value: float, small: bool, due: str) -> None:
    assert short(value, small=small) == due


def test_drawing_is_silent_without_a_home_and_leaves_settings_alone(tmp_path: Path) -> None:
    """No folder can be written, and a matplotlibrc of the working folder asks for other things."""
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 77\nnonsense: 1\n", encoding="utf-8")
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "from bertft.reports.charts import LineChart, Series\n"
        "from bertft.reports.picture import inline_svg\n"
        "chart = LineChart(title='t', across='x', up='y',\n"
        "    series=[Series(name='배', points=[(0, 1), (1, 2)])])\n"
        "svg = inline_svg(chart)\n"
        "assert 'stroke-width: 2' in svg and 'stroke-width: 77' not in svg\n"
        "import matplotlib, sys\n"
        "assert matplotlib.rcParams['lines.linewidth'] == 77\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = {"HOME": "/proc/none", "BERTFT_CACHE": "/proc/none", "PATH": "/usr/bin:/bin"}
    environment["PYTHONPATH"] = str(Path(sys.modules["bertft"].__file__ or "").parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
