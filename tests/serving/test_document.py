"""Requests made at random from the OpenAPI document: whatever it allows is answered, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from live_server import Live, serving
from schemathesis import Case

KINDS = ("classification", "nli", "ner", "qa")
EXAMPLES = 6


@pytest.fixture(scope="module")
def live(
    bases: dict[str, Path], pretrained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    runs = {kind: bases[kind] for kind in KINDS} | {"masks": pretrained}
    with serving(runs, tmp_path_factory.mktemp("served")) as found:
        yield found


def test_no_request_of_the_document_is_a_fault_of_the_server(live: Live) -> None:
    schema = schemathesis.openapi.from_url(live.address + "/openapi.json")
    seen: set[int] = set()
    paths = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        paths += 1

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def ask(case: Case) -> None:
            response = case.call()
            assert response.status_code < 500, (case.method, case.path, case.body, response.text)
            seen.add(response.status_code)

        ask()
    assert paths > 40
    assert {200, 422} <= seen
