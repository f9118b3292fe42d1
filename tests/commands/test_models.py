"""models and doctor: the zoo, conversion of pickled weights without running them, this machine."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bertft.commands.models import convert_model
from bertft.commands.train import train
from bertft.encoder.zoo import select
from bertft.errors import ModelError
from bertft.training import probe


class TestList:
    def test_a_line_for_each_model(self, command):
        code, out, err = command("models", "list")
        rows = [line.split("\t") for line in out.splitlines()]
        assert (code, err) == (0, "")
        columns = ["name", "layers", "hidden", "parameters", "language", "licence", "hub"]
        assert rows[0] == columns
        assert [row[0] for row in rows[1:]] == [one.name for one in select()]
        assert len(rows) > 24
        assert all(len(row) == len(columns) and all(row) for row in rows)
        assert all(re.fullmatch(r"\d+\.\d M", row[3]) for row in rows[1:])

    @pytest.mark.parametrize("language", ["en", "ko"])
    def test_of_one_language_with_those_that_serve_all(self, command, language):
        rows = json.loads(command("models", "list", "--language", language, "--json")[1])
        spoken = {row["language"] for row in rows}
        assert all(language in found.split("/") or found == "multi" for found in spoken)
        assert "multi" in spoken
        assert len({row["name"] for row in rows}) == len(rows) > 1

    def test_no_such_language(self, command):
        code, out, err = command("models", "list", "--language", "xx")
        assert (code, out) == (2, "")
        assert err == "error: no model for language 'xx'; languages: en, ko, multi\n"


class TestShow:
    def test_all_facts(self, command):
        code, out, err = command("models", "show", "minilm", "--json")
        facts = json.loads(out)
        assert (code, err) == (0, "")
        assert (facts["name"], facts["layers"], facts["hidden"]) == ("minilm", 6, 384)
        assert facts["embedded"] is True
        assert isinstance(facts["installed"], bool)

    def test_for_people(self, command):
        _, out, _ = command("models", "show", "minilm")
        facts = dict(line.split(maxsplit=1) for line in out.splitlines() if " " in line.strip())
        assert facts["name"] == "minilm"
        assert facts["layers"] == "6"

    def test_the_nearest_name(self, command):
        code, _, err = command("models", "show", "minilmm")
        assert code == 2
        assert err == "error: no model 'minilmm' in the zoo; did you mean 'minilm'?\n"


class Trap:
    """Unpickling this would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "executed")


@pytest.fixture
def old(tiny: Path, tmp_path: Path) -> Path:
    """The tiny model as it was saved years ago: pickled, LayerNorm with gamma and beta."""
    folder = Path(shutil.copytree(tiny, tmp_path / "old"))
    state = load_file(folder / "model.safetensors")
    state = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in state.items()
    }
    state["tied.weight"] = state["embeddings.word_embeddings.weight"]
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    (folder / "training_args.bin").write_bytes(b"anything")
    return folder


class TestConvert:
    def test_tensors_are_the_same_under_today_s_names(self, command, old, tiny, tmp_path):
        code, out, err = command("models", "convert", "old", "new")
        assert (code, out) == (0, "")
        assert err == "new written; train with --model new\n"
        found, expected = (
            load_file(path / "model.safetensors") for path in (tmp_path / "new", tiny)
        )
        tied = found.pop("tied.weight")
        assert torch.equal(tied, expected["embeddings.word_embeddings.weight"])
        assert set(found) == set(expected)
        assert all(torch.equal(found[name], expected[name]) for name in found)
        assert not list((tmp_path / "new").glob("*.bin"))
        assert (old / "pytorch_model.bin").exists()

    def test_the_result_trains_as_the_original_does(self, old, ask, tmp_path):
        convert_model(str(old), str(tmp_path / "new"))
        epoch = "training.epochs=1"
        converted = train(ask("a", epoch, model=str(tmp_path / "new"))).run
        original = train(ask("b", epoch)).run
        for name in ("best/model.safetensors", "predictions.jsonl"):
            assert (converted / name).read_bytes() == (original / name).read_bytes()

    @pytest.mark.parametrize("protocol", [2, 4])
    def test_a_pickle_with_code_is_refused_and_not_run(self, command, old, tmp_path, protocol):
        canary = tmp_path / "canary"
        with (old / "pytorch_model.bin").open("wb") as file:
            pickle.dump({"weight": Trap(canary)}, file, protocol=protocol)
        code, out, err = command("models", "convert", "old", "new")
        assert (code, out) == (2, "")
        assert re.fullmatch(r"error: old/pytorch_model\.bin: refused, not plain tensors .*\n", err)
        assert not canary.exists()
        assert not (tmp_path / "new").exists()

    def test_the_same_inside_torch_s_own_format(self, old, tmp_path):
        canary = tmp_path / "canary"
        torch.save({"weight": torch.zeros(2), "more": Trap(canary)}, old / "pytorch_model.bin")
        with pytest.raises(ModelError, match="refused, not plain tensors"):
            convert_model(str(old), str(tmp_path / "new"))
        assert not canary.exists()

    @pytest.mark.parametrize("content", [{"state": {"a": torch.zeros(1)}}, [1, 2], {"a": 1}])
    def test_other_content_is_refused(self, old, tmp_path, content):
        torch.save(content, old / "pytorch_model.bin")
        with pytest.raises(ModelError, match="not a table of named tensors; save model"):
            convert_model(str(old), str(tmp_path / "new"))
        assert not (tmp_path / "new").exists()

    def test_nothing_is_overwritten(self, command, old, tiny, tmp_path):
        (tmp_path / "new").mkdir()
        code, _, err = command("models", "convert", "old", "new")
        assert (code, err) == (2, "error: new exists already; name another folder\n")

    def test_a_folder_without_pickle(self, command, tiny):
        code, _, err = command("models", "convert", str(tiny), "new")
        assert code == 2
        assert err.startswith(f"error: {tiny}: no pytorch_model.bin; ")

    def test_where_nothing_can_be_written(self, old, tmp_path):
        (tmp_path / "file").write_text("", encoding="utf-8")
        with pytest.raises(ModelError, match="cannot be created"):
            convert_model(str(old), str(tmp_path / "file" / "new"))


class TestDoctor:
    @pytest.fixture(autouse=True)
    def quiet(self, monkeypatch):
        """A machine whose measurement nothing disturbs."""
        rates = {torch.float32: 1e11, torch.bfloat16: 3e11}
        monkeypatch.setattr(probe, "matrix_rate", rates.__getitem__)
        probe.cpu_speeds.cache_clear()
        yield
        probe.cpu_speeds.cache_clear()

    def test_what_this_machine_can_do(self, command, own_cache):
        code, out, err = command("doctor", "--json")
        facts = json.loads(out)
        assert (code, err) == (0, "")
        assert {"bertft", "python", "torch", "transformers", "accelerate"} <= set(facts)
        assert facts["torch"] == torch.__version__
        assert facts["device"] in ("cpu", "cuda", "mps")
        assert re.match(r"(fp32|bf16|fp16) \(.+\)", facts["precision"])
        assert facts["threads"] >= 1
        assert facts["CPU matrix GFLOP/s"]["float32"] > 0
        assert facts["measured"] == f"now, kept in {own_cache}"
        assert facts["offline"] is True

    def test_speed_is_measured_once_until_it_is_asked_for(self, command):
        found = []
        for arguments in ((), (), ("--probe",), ()):
            probe.cpu_speeds.cache_clear()  # as a new process
            code, out, _ = command("doctor", "--json", *arguments)
            assert code == 0
            found.append(json.loads(out))
        told = [one["measured"].partition(",")[0] for one in found]
        assert told == ["now", "today", "now", "today"]
        assert found[1]["measured"].endswith("; again: bertft doctor --probe")
        assert "here, measured 20" in found[1]["precision"]
        assert "measured 20" not in found[0]["precision"] + found[2]["precision"]

    @pytest.mark.parametrize(("days", "told"), [(0.5, "today"), (1.5, "1 day ago"), (9, "9 days ")])
    def test_its_age(self, command, days, told):
        now = time.time() - days * probe.DAY
        speeds = probe.Speeds(1e11, 2e11, now, is_new=True)
        assert probe._write(speeds, probe.machine_facts()) == ""
        probe.cpu_speeds.cache_clear()
        _, out, _ = command("doctor", "--json")
        assert json.loads(out)["measured"].startswith(told)

    def test_why_it_is_not_kept(self, command, monkeypatch):
        monkeypatch.setattr(probe, "_disturbed", lambda *_: "its rounds disagree")
        probe.cpu_speeds.cache_clear()
        _, out, _ = command("doctor", "--json")
        assert json.loads(out)["measured"] == "now, not kept (its rounds disagree)"

    def test_for_people(self, command):
        code, out, _ = command("doctor")
        assert code == 0
        assert re.search(r"^CPU matrix GFLOP/s +float32 \d+, bfloat16 \d+$", out, re.MULTILINE)
