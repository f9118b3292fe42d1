"""Documents in blocks: each kind of file gives its text with where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertft.errors import DataError
from bertft.loaders.blocks import read_blocks
from bertft.loaders.source import Source
from bertft.settings import DataSettings


def read(path: Path) -> list[tuple[str, str, int]]:
    source = Source(str(path), data=DataSettings(), gold=False)
    return [(one.text, one.unit, one.number) for one in read_blocks(source)]


def pdf(path: Path, pages: list[str], *, password: str = "") -> Path:
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(300, 300)
        stream = DecodedStreamObject()
        lines = " ".join(f"({line}) Tj T*" for line in text.split("\n"))
        stream.set_data(f"BT /F1 12 Tf 14 TL 20 200 Td {lines} ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
        font = DictionaryObject({
            NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        })  # fmt: skip
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    with path.open("wb") as file:
        writer.write(file)
    return path


def test_paragraphs_of_text_have_the_line_they_begin_on(tmp_path: Path) -> None:
    long = "a line that was wrapped by somebody because it is quite long and goes"
    path = tmp_path / "a.txt"
    path.write_text(f"\n# one\n\n{long}\non here.\n- item\n- 둘\n", encoding="utf-8")
    assert read(path) == [
        ("# one", "line", 2),
        (f"{long} on here.\n- item\n- 둘", "line", 4),
    ]


def test_html_gives_what_a_person_sees(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<html><head><title>t</title><style>p {}</style></head><body><h1>One &amp;\n two</h1>\n"
        "<p>All <b>bo</b>ld<br>next</p><script>let a = '<p>no</p>'</script>\n<div>in\n<ul><li>x"
        "<li>y</ul>tail</div>\n<table><tr><td>a</td><td>b</td></tr></table></body></html>",
        encoding="utf-8",
    )
    assert read(path) == [
        ("One & two", "line", 1), ("All bold", "line", 3), ("next", "line", 3), ("in", "line", 4),
        ("x", "line", 5), ("y", "line", 5), ("tail", "line", 5), ("a b", "line", 6),
    ]  # fmt: skip


def test_pdf_has_pages(tmp_path: Path) -> None:
    path = pdf(
        tmp_path / "a.pdf", ["The first\npage is short.", "", "An exam-\nple on page three."]
    )
    assert read(path) == [
        ("The first page is short.", "page", 1),
        ("An example on page three.", "page", 3),
    ]


def test_word_has_paragraphs_and_rows(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_heading("Parking", 1)
    document.add_paragraph("")
    document.add_paragraph("Cars park behind the depot.")
    row = document.add_table(1, 2).rows[0]
    row.cells[0].text, row.cells[1].text = "Gate", "6:30"
    document.save(str(tmp_path / "a.docx"))
    assert read(tmp_path / "a.docx") == [
        ("Parking", "paragraph", 1),
        ("Cars park behind the depot.", "paragraph", 3),
        ("Gate | 6:30", "paragraph", 4),
    ]


@pytest.mark.parametrize("name", ["a.pdf", "a.docx"])
def test_a_damaged_file_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"%PDF-1.4 nothing of the kind")
    with pytest.raises(DataError, match=rf"{name}: not a .* that can be read"):
        read(path)


def test_a_password_is_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has a password; save it without one"):
        read(pdf(tmp_path / "a.pdf", ["x"], password="secret"))


def test_a_library_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pdf(tmp_path / "a.pdf", ["x"])
    monkeypatch.setattr("bertft.loaders.blocks.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs the library pypdf; pip install '\.\[documents\]'"):
        read(path)
