"""Two machines train what one process trains, and predict into one folder.

The machines are network namespaces: each has a loopback and an address of its own, and nothing but
a cable to the other. They are started by the scripts of `bertft launch`, and share the file system.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from running import Ear
from samples import FAST, set_flags, write_reviews
from stopping import events

from bertft.commands.launch import launch
from bertft.commands.train import train
from bertft.jobs.request import TrainRequest
from bertft.jobs.scripts import Launch

pytestmark = pytest.mark.slow
ADDRESSES = ("10.77.0.1", "10.77.0.2")
INTERFACE = "wire"
TRAINED = (*FAST, "training.batch_size=5", "training.gradient_accumulation=3")
"""48 rows in steps of 15 and a last one of 3: the share of a host differs from step to step."""


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them."""
    names = (f"bertft-{os.getpid()}-1", f"bertft-{os.getpid()}-2")
    if not shutil.which("ip"):
        pytest.skip("two hosts need network namespaces: there is no ip (iproute2) here")
    try:
        for name in names:
            ip("netns", "add", name)
        cable = ["type", "veth", "peer", "name", INTERFACE, "netns", names[1]]
        ip("link", "add", INTERFACE, "netns", names[0], *cable)
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", INTERFACE)
            for device in ("lo", INTERFACE):
                ip("-n", name, "link", "set", device, "up")
        yield names
    except OSError as error:
        pytest.skip(f"two hosts need network namespaces: {error}")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


Started = Callable[[str, list[str]], None]


@pytest.fixture
def threads() -> Iterator[None]:
    """What a test sets is set back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def on_both(hosts: tuple[str, str], tmp_path: Path) -> Started:
    """Runs the script that `launch` writes for a command on both hosts, at the same time."""

    def start(out: str, arguments: list[str]) -> None:
        what = Launch(
            arguments=tuple(arguments),
            machines=2,
            processes=1,
            gpu=False,
            interface=INTERFACE,
            port=29500,
        )
        script = tmp_path / "script.sh"
        script.write_text(launch("torchrun", what, out=out, shard="").text, encoding="utf-8")
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        started = [
            subprocess.Popen(
                ["ip", "netns", "exec", host, "bash", str(script), str(number)],
                cwd=tmp_path,
                env=os.environ | {"PATH": programs, "FIRST": ADDRESSES[0]},
                stderr=subprocess.PIPE,
                text=True,
            )
            for number, host in enumerate(hosts, start=1)
        ]
        said = [one.communicate(timeout=300)[1] for one in started]
        assert [one.returncode for one in started] == [0, 0], said

    return start


def test_a_host_does_not_reach_what_is_local_to_the_other(hosts: tuple[str, str]) -> None:
    """The cable is all there is: not the loopback, and not the network of this machine."""
    listing = ["ip", "netns", "exec", hosts[0], "ip", "-json", "address"]
    found = json.loads(subprocess.run(listing, capture_output=True, check=True).stdout)
    assert {one["ifname"] for one in found if "UP" in one["flags"]} == {"lo", INTERFACE}


def test_two_hosts_train_what_one_process_does(
    on_both: Started, steady: Path, tmp_path: Path
) -> None:
    files = {name: str(path) for name, path in write_reviews(tmp_path).items()}
    one = TrainRequest(
        recipe="sentiment", overrides=TRAINED, model=str(steady), out=str(tmp_path / "one"), **files
    )
    train(one, watch=Ear())
    flags = [word for name, path in files.items() for word in (f"--{name}", path)]
    on_both("two", ["train", "sentiment", "--model", str(steady), *flags, "--out", "two",
                    *set_flags(*TRAINED)])  # fmt: skip
    alone, together = (events(tmp_path / name, "step") for name in ("one", "two"))
    assert len(alone) == len(together) >= 8
    for figure in ("loss", "gradient_norm"):
        expected = [row[figure] for row in alone]
        assert [row[figure] for row in together] == pytest.approx(expected, abs=1e-6), figure
    runs = [json.loads((tmp_path / name / "scores.json").read_text()) for name in ("one", "two")]
    assert runs[0]["metrics"] == runs[1]["metrics"]


def test_two_hosts_predict_into_one_folder(
    on_both: Started, run: Path, command, tmp_path: Path, threads: None
) -> None:
    lines = ["a good film", "i hate it", "never dull", "very bad food"] * 5
    (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = ["predict", "lines.txt", "--run", str(run), "--part-rows", "3", "--device", "cpu"]
    on_both("both/", [*asked, "--precision", "fp32", "--out", "both/"])
    torch.set_num_threads(1)  # as many as the script gives each host: the last digits depend on it
    code, _, err = command(*asked, "--precision", "fp32", "--out", "one/")
    assert code == 0, err
    parts = sorted(path.name for path in (tmp_path / "one").glob("part-*"))
    assert parts == sorted(path.name for path in (tmp_path / "both").glob("part-*"))
    for name in parts:
        assert (tmp_path / "both" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    done = [json.loads(one.read_text())["done"] for one in (tmp_path / "both").glob("_shard-*")]
    assert done == [True, True]
