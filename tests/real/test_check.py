"""check on real data sets: what it finds in them is pinned, and was looked at by eye."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samples import Command

pytestmark = pytest.mark.real


@pytest.fixture
def findings(command: Command, shared: Path):
    """Runs check offline: (exit code, {(code, split): finding})."""

    def run(recipe: str, *arguments: str, **files: str) -> tuple[int, dict[Any, Any]]:
        flags = [
            word
            for name, file in files.items()
            for word in (f"--{name}", str(shared / "data" / file))
        ]
        code, out, err = command("check", recipe, *flags, *arguments, "--offline", "--json")
        assert err == ""
        found = json.loads(out)["findings"]
        return code, {(one["code"], one["split"]): one for one in found}

    return run


def test_customers_ask_the_same_in_train_and_test(findings):
    """BANKING77: 242 of 3,080 test questions stand in train, but for a word or a space."""
    code, found = findings("banking77", train="banking77/train.csv", test="banking77/test.csv")
    assert code == 0
    assert found["folded-duplicate-across", "test"]["count"] == 7
    assert 220 <= found["near-duplicate-across", "test"]["count"] <= 240
    assert found["folded-duplicate", "train"]["count"] == 4
    assert ("duplicate-across", "test") not in found
    assert ("label-not-in-test", "train") not in found


def test_posts_with_markup_and_contradictions(findings):
    """WNUT 17: repeated posts, some tagged in two ways; entities of HTML; signs without token."""
    files = {
        "train": "wnut17train.conll",
        "dev": "emerging.dev.conll",
        "test": "emerging.test.annotated",
    }
    code, found = findings("wnut17", **{name: f"wnut17/{file}" for name, file in files.items()})
    assert code == 0
    counts = {key: one["count"] for key, one in found.items()}
    assert (counts["conflict", "train"], counts["conflict", "dev"], counts["conflict", "test"]) == (
        13,
        1,
        1,
    )
    assert counts["duplicate", "train"] == 103
    assert (counts["markup", "train"], counts["markup", "test"]) == (248, 42)
    assert counts["invisible-character", "dev"] == 2
    assert counts["word-without-token", "dev"] == 4
    assert ("broken-scheme", "train") not in found


def test_a_review_that_was_decoded_wrongly(findings, shared):
    """NSMC: one review of 30,000 is UTF-8 that was once read as CP949; two of dev are in train."""
    model = ("--model", str(shared / "models/e5-small-ko-en"))
    code, found = findings("nsmc", *model, train="nsmc/train.tsv", dev="nsmc/dev.tsv")
    assert code == 0
    wrong = found["wrong-encoding", "train"]
    assert (wrong["count"], wrong["places"][0]["line"]) == (1, 7572)
    assert "모토로라충전" in wrong["places"][0]["text"]
    assert found["near-duplicate-across", "dev"]["count"] == 2
    assert found["folded-duplicate", "train"]["count"] == 1
    assert {key for key, one in found.items() if one["severity"] == "warning"} == {
        ("wrong-encoding", "train"),
        ("near-duplicate-across", "dev"),
    }
