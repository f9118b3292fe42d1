"""Scores as a notebook shows them: the content of a scores.json in, tables of a report out."""

from __future__ import annotations

from typing import Any

from bertft.notebook import html_table
from bertft.reports.tables import Table, classes_table, scores_table
from bertft.words import counted


class Scores(dict[str, Any]):
    """What ``scores.json`` holds: a dictionary, in a notebook tables."""

    def _repr_html_(self) -> str:
        if not self.get("metrics"):
            return html_table((), (), notes=[str(self.get("note", "nothing was scored"))])
        title = f"{self['split']}: {counted(self['n'], 'example')}"
        return "\n".join(
            (
                _html(scores_table(self), title=title),
                _html(classes_table(self.get("per_class", {}))),
            )
        )


def _html(table: Table, *, title: str = "") -> str:
    return html_table(table.header, table.rows, title=title, notes=table.notes)
