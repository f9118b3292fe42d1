"""Scripts for many machines do what they say, with programs that write down how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from bertft.commands.launch import launch
from bertft.jobs.scripts import KINDS, SCRIPTS, VERBS, Launch, script_of

TRAIN = ["train", "nsmc", "--out", "my runs/nsmc", "--set", "training.epochs=1"]
PREDICT = ["predict", "it's big.csv", "--run", "nsmc", "--out", "answers/"]
CALLED = """#!/bin/bash
echo "$(printf '%s|' "${0##*/}" "$@")$GLOO_SOCKET_IFNAME" >> called
[[ "$*" != *FAULT* ]]
"""
HANDED_ON = '#!/bin/bash\nexec "$@"\n'
HOSTS = "#!/bin/bash\nprintf '%s\\n' node7 node8\n"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs: torchrun and bertft write down how they are called."""
    folder = tmp_path / "programs"
    folder.mkdir()
    scripts = {"torchrun": CALLED, "bertft": CALLED, "srun": HANDED_ON, "scontrol": HOSTS}
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def run(text: str, programs: Path, *arguments: str, **environment: str) -> tuple[int, list[str]]:
    """The exit code of a script, and what it called, in some order."""
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    folder = programs.parent
    (folder / "script.sh").write_text(text)
    done = subprocess.run(
        ["bash", "script.sh", *arguments], cwd=folder, env={"PATH": path, **environment}
    )
    called = folder / "called"
    return done.returncode, sorted(called.read_text().splitlines()) if called.exists() else []


def asked(*arguments: str, machines: int = 2, processes: int = 1, interface: str = "") -> Launch:
    return Launch(
        arguments=arguments,
        machines=machines,
        processes=processes,
        gpu=False,
        interface=interface,
        port=29500,
    )


def test_what_the_machines_would_stumble_over_is_told_now(command) -> None:
    code, _, err = command("launch", "--print", "slurm", "train", "sentimant")
    assert code == 2
    assert "did you mean 'sentiment'" in err
    code, _, err = command("launch", "--print", "slurm", *PREDICT)
    assert code == 0
    assert "no run 'nsmc' here" in err
    code, _, err = command("launch", "--print", "slurm", *PREDICT[:2], "--out", "answers/")
    assert code == 0
    assert "no --run" in err


def test_there_is_a_script_for_each_kind_and_verb() -> None:
    assert set(SCRIPTS) == set(product(KINDS, VERBS))


MEETING = {
    "slurm": "--rdzv-backend|c10d|--rdzv-id|77|--rdzv-endpoint|node7:4000",
    "torchrun": "--node-rank|2|--master-addr|10.0.0.1|--master-port|4000",
}


@pytest.mark.parametrize("kind", MEETING)
def test_a_training_meets_at_the_first_machine(command, programs: Path, kind: str) -> None:
    flags = ["--machines", "3", "--processes", "4", "--interface", "eth1", "--port", "4000"]
    code, out, err = command("launch", "--print", kind, *flags, *TRAIN)
    assert code == 0, err
    assert "checked by bash -n" in err
    given = {"SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "node[7-8]", "FIRST": "10.0.0.1"}
    started = f"torchrun|--nnodes|3|--nproc-per-node|4|{MEETING[kind]}|-m|bertft|{'|'.join(TRAIN)}"
    assert run(out, programs, "3", **given) == (0, [f"{started}|eth1"])


@pytest.mark.parametrize("given", [((), {"FIRST": "10.0.0.1"}), (("1",), {})])
def test_nothing_is_started_without_number_and_address(programs: Path, given) -> None:
    text = launch("torchrun", asked(*TRAIN), out="my runs/nsmc", shard="").text
    code, called = run(text, programs, *given[0], **given[1])
    assert code
    assert not called


def test_a_shard_for_each_process(programs: Path) -> None:
    text = launch("torchrun", asked(*PREDICT, processes=3), out="answers/", shard="").text
    answered = f"bertft|{'|'.join(PREDICT)}|--shard|"
    assert run(text, programs, "2") == (0, [f"{answered}{shard}/6|" for shard in (4, 5, 6)])


def test_a_shard_that_fails_is_told(programs: Path) -> None:
    text = launch("torchrun", asked(*PREDICT, "FAULT"), out="answers/", shard="").text
    code, called = run(text, programs)  # without a number
    assert code
    assert not called
    assert run(text, programs, "1")[0] == 1


def test_a_job_of_an_array_for_each_shard(programs: Path) -> None:
    text = launch("slurm", asked(*PREDICT, machines=4, processes=2), out="answers/", shard="").text
    assert "#SBATCH --array=1-8\n" in text
    code, called = run(text, programs, SLURM_ARRAY_TASK_ID="5")
    assert (code, called) == (0, [f"bertft|{'|'.join(PREDICT)}|--shard|5/8|"])


def test_gpus_are_asked_for() -> None:
    signs = {
        ("slurm", "train"): "#SBATCH --gpus-per-node=4\n",
        ("slurm", "predict"): "#SBATCH --gpus=1\n",
        ("torchrun", "predict"): "CUDA_VISIBLE_DEVICES=$((process - 1)) bertft predict",
        ("ray", "train"): "'num_gpus': 4",
        ("ray", "predict"): "'num_gpus': 1",
    }
    for (kind, verb), sign in signs.items():
        what = asked(*(TRAIN if verb == "train" else PREDICT), processes=4)
        assert sign not in script_of(kind, what)
        assert sign in script_of(kind, replace(what, gpu=True))


@pytest.mark.parametrize("arguments", [TRAIN, PREDICT], ids=VERBS)
def test_a_script_of_ray_holds_what_was_given(command, arguments: list[str]) -> None:
    code, out, err = command("launch", "--print", "ray", "--interface", "{SHARDS}", *arguments)
    assert code == 0, err
    assert f"\nCOMMAND = {arguments!r}\n" in out
    assert "'GLOO_SOCKET_IFNAME': '{SHARDS}'" in out
    compile(out, "script", "exec")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    for kind, arguments in product(("slurm", "torchrun"), (TRAIN, PREDICT)):
        script = launch(kind, asked(*arguments, interface="eth0"), out="answers/", shard="")
        assert script.checked == ("bash -n", "shellcheck")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["eval", "nsmc"], "scripts for train and predict, not for eval"),
        (["train", "nsmc", "--epochs", "3"], "--set training.epochs=3"),
        (["predict", "a.csv", "--out", "a.jsonl"], "predict needs --out FOLDER/"),
        (["predict", "a.csv"], "predict needs --out FOLDER/"),
        ([*PREDICT, "--shard", "1/2"], "--shard is what the script adds"),
    ],
)
def test_what_would_fail_on_every_machine_is_refused(command, arguments, said: str) -> None:
    code, out, err = command("launch", "--print", "slurm", *arguments)
    assert (code, out) == (2, "")
    assert said in err
