"""What a file's name says: the suffixes of each form, known without reading anything."""

from __future__ import annotations

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    **dict.fromkeys(WORKBOOKS, "workbook"),
}
"""Tables, and the form of each."""
TAGGED = (
    ".conll", ".conllu", ".bio", ".iob", ".iob2", ".bioes", ".annotated", ".tagged", ".tsv",
)  # fmt: skip
"""Lines of words and tags."""
PLAIN = (".txt", ".md", ".text")
UNREAD = (
    ".pdf", ".doc", ".docx", ".hwp", ".hwpx", ".odt", ".rtf", ".html", ".htm", ".xml", ".zip",
)  # fmt: skip
"""Not read as data: a word that ends so is a file all the same, and no text."""
