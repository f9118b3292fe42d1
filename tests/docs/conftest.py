"""The shell in which the commands of the pages run, and what stands in for what a test lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.shell import Shell
from docs.stand_ins import StandIns, make_hub


@pytest.fixture(scope="session")
def stand_ins(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    """Small files, runs and encoders, and a shell that knows of them."""
    from transformers import AutoTokenizer, BertConfig, BertForPreTraining

    from bertft.encoder.zoo import select

    model = tmp_path_factory.mktemp("pretrained")
    BertForPreTraining(BertConfig.from_pretrained(tiny)).save_pretrained(model)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(model)
    folder = tmp_path_factory.mktemp("docs")
    hub = folder / "hub"
    make_hub(hub, model, {one.hub_id for one in select()})
    programs = folder / "bin"
    programs.mkdir()
    environment = dict(os.environ) | {
        "BERTFT_CACHE": str(folder / "cache"),
        "COLUMNS": "100",
        "HF_HUB_CACHE": str(hub),
        "LC_ALL": "C.UTF-8",
    }
    shell = Shell(programs, environment)
    yield StandIns(shell, model, folder)
    shell.close()
