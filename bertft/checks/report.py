"""What was found in data, worst first, and what was counted: what ``check`` tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from bertft.checks.finding import Finding


@dataclass(slots=True)
class Report:
    """What was found, worst first, and what was counted of each split."""

    task: str
    encoder: str
    max_length: int
    splits: dict[str, dict[str, Any]]
    findings: list[Finding] = field(default_factory=list)

    def groups(self) -> list[list[Finding]]:
        """Findings of one kind together, whatever split they are in."""
        found: dict[tuple[str, ...], list[Finding]] = {}
        for one in self.findings:
            found.setdefault((one.severity, one.code, one.what), []).append(one)
        return list(found.values())

    def count(self, severity: str) -> int:
        """Findings of a severity."""
        return sum(one.severity == severity for one in self.findings)

    def exit_code(self, *, strict: bool) -> int:
        """2 with errors, 3 with warnings where they count, else 0."""
        if self.count("error"):
            return 2
        return 3 if strict and self.count("warning") else 0

    def content(self, *, examples: int) -> dict[str, Any]:
        """The report as one JSON object; ``examples`` places of each finding at most."""
        return {
            "task": self.task,
            "encoder": self.encoder,
            "max_length": self.max_length,
            "splits": self.splits,
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "notes": self.count("note"),
            "findings": [
                asdict(one) | {"places": [asdict(place) for place in one.places[:examples]]}
                for one in self.findings
            ],
        }
