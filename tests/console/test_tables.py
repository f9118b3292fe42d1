"""Tables: they fit, or they are a list; nothing that has to be typed is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from bertft.console.tables import fact_table, laid_out, shown

NAMES = st.text("abc-한/.", min_size=1, max_size=60)


def render(what: object, *, width: int) -> str:
    console = Console(width=width, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_a_table_that_just_fits_is_whole_and_one_more_column_makes_a_list() -> None:
    for length in range(55, 75):
        rows = [("a" * length, "b", 0.766), ("c", "d", 0.01)]
        text = render(laid_out(("name", "model", "value"), rows, width=80), width=80)
        assert "0.7660" in text
        assert ("name" in text) == (length + len("model") + len("0.7660") + 4 <= 80)


@given(st.lists(st.tuples(NAMES, NAMES, st.floats(0, 1)), min_size=1), st.sampled_from([80, 120]))
def test_names_are_whole_at_any_width(rows: list[tuple[str, str, float]], width: int) -> None:
    text = render(laid_out(("name", "model", "value"), rows, width=width), width=width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    words = text.replace("\u00a0", " ").split()
    for name, _, value in rows:
        assert name in words
        assert f"{value:.4f}" in words


def test_a_wide_table_is_a_list() -> None:
    rows = [("n" * 40, "m" * 40, 0.5)]
    text = render(laid_out(("name", "model", "value"), rows, width=80), width=80)
    assert text.splitlines()[0].strip() == "n" * 40
    assert "value\u00a00.5000" in text


def test_texts_wrap_where_names_do_not() -> None:
    rows = [("name", "a text of many words " * 6)]
    text = render(laid_out(("recipe", "description"), rows, width=80), width=80)
    assert text.splitlines()[0].split() == ["recipe", "description"]
    assert " ".join(text.split()).count("a text of many words") == 6


def test_numbers_have_four_digits() -> None:
    assert [shown(one) for one in (0.8457142857, 3, None, "x")] == ["0.8457", "3", "", "x"]


def test_a_long_fact_goes_on_below_itself() -> None:
    lines = render(fact_table({"run": "demo", "labels": "label, " * 30}), width=80).splitlines()
    assert lines[0].split() == ["run", "demo"]
    assert all(line.startswith(" " * 8) for line in lines[2:])
