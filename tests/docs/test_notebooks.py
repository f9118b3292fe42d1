"""The tour as a notebook runs from its first cell to its last.

Trainings are cut down, and encoders of the Hub are stand-ins, as for commands of the pages.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from docs.pages import ROOT
from docs.stand_ins import StandIns
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

STRICT = """\
import subprocess

def strict(command):
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout.decode())
    assert done.returncode == 0, command

get_ipython().system = strict
"""
"""`!` passes over a command that fails; here it does not."""


@pytest.mark.slow
def test_the_tour_runs_as_a_notebook(
    stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The English one: the commands of both are run by test_transcripts.py."""
    notebook = nbformat.read(ROOT / "docs" / "en" / "tour.ipynb", as_version=4)
    notebook.cells.insert(0, new_code_cell(STRICT))
    for name, value in stand_ins.shell.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOCS_SHORT", str(stand_ins.model))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    folder = tmp_path / "tour"
    folder.mkdir()
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) > 8
    assert all(cell.outputs for cell in cells[1:])
