"""The picture of ``bertft explain``: results go in, a chart of bars comes out.

A panel for each explanation, with a bar for each word in its order: to the right what speaks for
the answer, to the left what speaks against it. A result without explanations shows what the first
token's state is made of (attention rollout).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bertft.errors import BertftError
from bertft.reports.charts import Bar, BarChart, Panel

ROWS = 60
"""Bars of a panel; of more words the strongest are shown."""
PANELS = 20


def bar_chart(results: Sequence[Mapping[str, Any]]) -> BarChart:
    """All panels, from top to bottom.

    Raises:
        BertftError: there are more panels than ``PANELS``.
    """
    panels = [panel for result in results for panel in _panels(result)]
    if len(panels) > PANELS:
        reason = f"{len(panels)} explanations are too many for a picture, which holds {PANELS}"
        raise BertftError(reason, hint="write --out explained.html, or explain fewer texts")
    return BarChart(title="What the answers rest on", panels=panels)


def checks(one: Mapping[str, Any]) -> list[str]:
    """What tells how far an explanation is to be trusted."""
    test = one["faithfulness"]
    one_word = test["deleted"] == 1
    top = "top word" if one_word else f"top {test['deleted']} words"
    any_ = "a random word" if one_word else f"{test['deleted']} random words"
    return [
        f"Logit {one['logit']:.3f}, without any word {one['baseline_logit']:.3f}; "
        f"completeness error {abs(one['error']):.2g}.",
        f"Comprehensiveness: the score falls by {test['top']:.3f} without the {top}, "
        f"by {test['random']:.3f} without {any_}.",
    ]


def _panels(result: Mapping[str, Any]) -> Iterator[Panel]:
    parts = result["parts"]
    for one in result["explanations"]:
        words = [
            (word["part"], parts[word["part"]][word["start"] : word["end"]], word["attribution"])
            for word in one["words"]
        ]
        sure = f", probability {one['probability']:.2f}" if "probability" in one else ""
        yield _panel(f"{result['id']}: {one['target']}{sure}", checks(one), words)
    if not result["explanations"]:
        shares = zip(result["tokens"], result["rollout"], strict=True)
        tokens = [("text", token, share) for token, share in shares]
        said = "What the first token's state is made of, by attention rollout."
        yield _panel(f"{result['id']}: {' / '.join(parts.values())}", [said], tokens)


def _panel(title: str, said: Sequence[str], bars: Sequence[tuple[str, str, float]]) -> Panel:
    """Title, what is said of it, and a bar for each (part of the example, word, value)."""
    kept = sorted(sorted(range(len(bars)), key=lambda i: -abs(bars[i][2]))[:ROWS])
    lines = list(said)
    if left := len(bars) - len(kept):
        lines.append(f"{left} weaker {'one is' if left == 1 else 'ones are'} left out.")
    found: list[Bar] = []
    part = "text"
    for i in kept:
        if bars[i][0] != part:
            part = bars[i][0]
            found.append(Bar(part, None))
        found.append(Bar(_short(bars[i][1], 24), bars[i][2]))
    return Panel(title=_short(title, 80), said=lines, bars=found)


def _short(text: str, most: int) -> str:
    """On one line, and cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
