"""README.md of an export: what export.json says in, Markdown out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertft.reports.templating import render

PACKAGES = {"onnx": "`onnxruntime`", "openvino": "`openvino`"}
SHOWN = {
    "qa": '{"question": "a question", "context": "a passage"}',
    "nli": '{"premise": "a text", "hypothesis": "another"}',
}


def export_card(export: Mapping[str, Any], task: Any) -> str:
    """The card of an export of a task."""
    pairs = getattr(task.options, "pairs", False)
    plain = '{"text": "a text", "text_pair": "another"}' if pairs else '"a text"'
    return str(
        render(
            "export_card.md.j2",
            name=export["run"]["name"],
            engine=export["engine"],
            task=task.name,
            export=export,
            packages=PACKAGES[export["engine"]],
            shown=SHOWN.get(task.name, plain),
            parity=export.get("parity"),
            split=export.get("split", "dev"),
        )
    )
