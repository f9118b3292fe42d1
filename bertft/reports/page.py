"""The page of a run: what it was trained on, its scores and what it saw go in, HTML comes out.

One self-contained page without scripts: nothing is loaded from anywhere. All that comes from data
is escaped, and cut where it is long; each table says how many rows it leaves out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bertft.evaluation.statistic import LOWER, is_better
from bertft.reports.curves import History, picture
from bertft.reports.errors import worst
from bertft.reports.examples import Bin, Seen
from bertft.reports.text import clean, table
from bertft.runs.counterpart import Beside, beside_table

CLASSES = 100
"""Rows of the table of classes."""
SQUARE = 20
"""Classes of a confusion matrix; of more, the most frequent confusions are listed."""
CONFUSIONS = 40

STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --soft: #666; --line: #ddd; --back: #fff;
  --main: #1f5fbf; --gold: #cdebc9; --given: #ffe1a8; --heat: 31 95 191 }
@media (prefers-color-scheme: dark) { :root { --text: #e6e6e6; --soft: #a0a0a0; --line: #3a3a3a;
  --back: #161616; --main: #7fb0ff; --gold: #23502a; --given: #5c4312; --heat: 127 176 255 } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem;
  color: var(--text); background: var(--back); overflow-wrap: anywhere }
h1 { margin-bottom: 0 } h2 { margin-top: 2.2rem }
.soft, figcaption, small { color: var(--soft) } .main { font-size: 1.3rem }
.wide { overflow-x: auto } table { border-collapse: collapse; overflow-wrap: normal }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right }
th { font-weight: 600 } td:first-child, th:first-child, .left td, .left th { text-align: left }
td { white-space: nowrap } .right { font-weight: 700 }
td:first-child, .left td { white-space: normal; overflow-wrap: anywhere; min-width: 9rem }
.left td:first-child { min-width: 6rem }
@media (max-width: 30rem) { th, td { padding: .2rem .4rem } }
figure { margin: 1rem 0 } svg { width: 100%; height: auto; fill: var(--soft); font-size: 12px }
.grid { stroke: var(--line) } .mark { stroke: var(--main); stroke-dasharray: 4 4 }
polyline { fill: none; stroke: var(--main); stroke-width: 2 } .raw { opacity: .3; stroke-width: 1 }
circle { fill: var(--main) } .bar { fill: var(--main); opacity: .6 }
article { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .8rem;
  margin: .7rem 0 } article p { margin: .3rem 0; white-space: pre-wrap }
mark { color: inherit; border-radius: .2rem; padding: 0 .15rem; background: var(--given) }
mark.gold { background: var(--gold) } mark small { padding-left: .25rem; color: inherit }
pre { overflow-x: auto; font-size: .85rem }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class About:
    """What was trained.

    ``name`` is the run's, ``task`` the settings of the task, ``recipe`` and ``environment`` are the
    content of recipe.toml and environment.json, ``history`` is the journal in brief.
    """

    name: str
    task: Mapping[str, Any]
    recipe: str
    environment: Mapping[str, Any]
    history: History


def web_page(
    about: About, scores: Mapping[str, Any], seen: Seen, *, beside: Beside | None = None
) -> str:
    """The page. ``scores`` is the content of scores.json, ``beside`` the run to compare with."""
    title = clean(f"{about.environment.get('recipe') or about.name}: {scores['metric']}")
    sections = {
        "": _headline(about, scores),
        "Trained": _facts(about),
        "Scores": _scores(scores) if scores["metrics"] else "",
        "Features and fine-tuning": beside_table(beside, metric=scores["metric"]),
        "Questions": _questions(scores, seen),
        "By class": _classes(scores.get("per_class", {})),
        "Confusion": _confusion(scores.get("confusion", {})),
        "Calibration": _calibration(seen),
        "Learning curve": _curves(about.history, metric=scores["metric"]),
        "Worst errors": worst(seen),
        "Recipe": f"<pre>{clean(about.recipe, most=8000)}</pre>" if about.recipe else "",
    }
    body = "\n".join(
        (f"<h2>{name}</h2>\n{text}" if name else text) for name, text in sections.items() if text
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _headline(about: About, scores: Mapping[str, Any]) -> str:
    heading = clean(str(about.environment.get("recipe") or about.name))
    if not scores["metrics"]:
        return f'<h1>{heading}</h1>\n<p class="main">{clean(scores["note"])}</p>'
    name, main = scores["metric"], scores["metrics"][scores["metric"]]
    text = f"{clean(name)} <b>{main['value']:.4f}</b>"
    if "low" in main:
        text += f" ({main['low']:.4f} to {main['high']:.4f})"
    if name in scores["baseline"]:
        floor = scores["baseline"][name]
        bound = main.get("high" if name in LOWER else "low", main["value"])
        verdict = "better" if is_better(name, bound, than=floor) else "not clearly better"
        text += f", {verdict} than the baseline's {floor:.4f}"
    where = f"{scores['n']:,} examples of {scores['split']}, {clean(scores['data'])}"
    return f'<h1>{heading}</h1>\n<p class="soft">{where}</p>\n<p class="main">{text}</p>'


def _facts(about: About) -> str:
    rows = [(clean(name), clean(str(value))) for name, value in _settings(about) if value]
    return table(["", ""], rows, kind="left") if rows else ""


def _settings(about: About) -> Iterator[tuple[str, Any]]:
    found, history = about.environment, about.history
    plan, training = history.plan, tomllib.loads(about.recipe).get("training", {})
    yield "run", about.name
    yield "task", about.task["name"]
    yield "mode", training.get("mode")
    encoder = found.get("model", {})
    yield "encoder", " ".join(filter(None, [encoder.get("name"), encoder.get("revision")]))
    if "parameters" in plan:
        trained = f"{plan['trainable']:,} of {plan['parameters']:,}"
        yield "parameters trained", trained
    for split, file in found.get("data", {}).items():
        count = plan.get("examples", {}).get(split)
        size = f", {count:,} examples" if count else ""
        digest = str(file.get("sha256") or "")[:12]
        yield split, f"{file.get('path')}{size}" + (f", SHA-256 {digest}…" if digest else "")
    labels = found.get("labels", [])
    more = f" and {len(labels) - 30} more" if len(labels) > 30 else ""
    yield "labels", ", ".join(map(str, labels[:30])) + more
    names = ("epochs", "batch_size", "learning_rate", "seed")
    settings = ((name.replace("_", " "), training[name]) for name in names if name in training)
    yield "settings", ", ".join(f"{name} {value}" for name, value in settings)
    if history.steps:
        taken = f"{history.steps:,} in {history.seconds / 60:.1f} minutes"
        yield "steps", f"{taken}; kept: that of step {history.best_step or history.steps:,}"
    precision = found.get("precision", {}).get("used")
    yield "device", ", ".join(filter(None, [found.get("device"), precision]))
    yield "started", found.get("started")
    versions = found.get("versions", {}).items()
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions)


def _scores(scores: Mapping[str, Any]) -> str:
    baseline, unseen = scores["baseline"], scores.get("without_train", {})
    header = ["score", "value", "95 % interval"]
    header += ["baseline"] * bool(baseline) + ["without train"] * bool(unseen)
    rows = []
    for name, one in scores["metrics"].items():
        interval = f"{one['low']:.4f} to {one['high']:.4f}" if "low" in one else ""
        row = [clean(name), f"{one['value']:.4f}", interval]
        if baseline:
            row.append(_number(baseline.get(name)))
        if unseen:
            row.append(_number(unseen["metrics"].get(name)))
        rows.append(row)
    notes = []
    if baseline:
        notes.append(f"The baseline {_baseline(scores['metrics'])}.")
    if unseen:
        notes.append(f"Without train: the {unseen['n']:,} examples that are not also in train.")
    return table(header, rows) + "".join(f"<p class=soft>{note}</p>" for note in notes)


def _baseline(metrics: Mapping[str, Any]) -> str:
    if "mlm_loss" in metrics:
        return "knows only how often each token stands in the training text"
    if "exact_match" in metrics:
        return "always answers nothing"
    return "always answers the most frequent label"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _questions(scores: Mapping[str, Any], seen: Seen) -> str:
    """Questions that have an answer beside those that have none, where there are both."""
    values = {name: one["value"] for name, one in scores["metrics"].items()}
    if "no_answer_accuracy" not in values:
        return ""
    overlap = "rouge_w" if "rouge_w" in values else "f1"
    exact, common = values["has_answer_exact_match"], values[f"has_answer_{overlap}"]
    without = f"{values['no_answer_accuracy']:.4f}"
    rows = [
        ["with an answer", f"{seen.count - seen.unanswerable:,}", f"{exact:.4f}", f"{common:.4f}"],
        ["without an answer", f"{seen.unanswerable:,}", without, without],
    ]
    return table(["questions", "count", "exact match", overlap], rows)


def _classes(classes: Mapping[str, Mapping[str, float]]) -> str:
    if not classes:
        return ""
    columns = list(next(iter(classes.values())))
    kept = list(classes)
    if len(kept) > CLASSES:
        kept = sorted(kept, key=lambda name: -classes[name]["support"])[:CLASSES]
    rows = [
        [clean(name, most=60)]
        + [
            f"{value:,.0f}" if column in ("support", "predicted") else f"{value:.4f}"
            for column, value in classes[name].items()
        ]
        for name in kept
    ]
    more = f"{len(classes) - len(kept):,} rarer classes are left out; scores.json has them."
    return table(["class", *columns], rows) + _left_out(more, when=len(classes) > len(kept))


def _confusion(counts: Mapping[str, Mapping[str, int]]) -> str:
    if not counts:
        return ""
    names = list(counts)
    if len(names) > SQUARE:
        return _most_confused(counts)
    rows = []
    for gold in names:
        total = max(1, sum(counts[gold].values()))
        cells = [f'<td class="left">{clean(gold, most=40)}</td>']
        for given in names:
            count = counts[gold].get(given, 0)
            tint = f"background: rgb(var(--heat) / {0.75 * count / total:.2f})"
            right = ' class="right"' if gold == given else ""
            cells.append(f'<td{right} style="{tint}">{count or "·"}</td>')
        rows.append("".join(cells))
    head = "".join(f"<th>{clean(name, most=40)}</th>" for name in ["gold \\ answer", *names])
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _most_confused(counts: Mapping[str, Mapping[str, int]]) -> str:
    wrong = [
        (count, gold, given)
        for gold, row in counts.items()
        for given, count in row.items()
        if gold != given
    ]
    wrong.sort(key=lambda one: (-one[0], one[1], one[2]))
    rows = [
        [clean(gold, most=60), clean(given, most=60), f"{count:,}"]
        for count, gold, given in wrong[:CONFUSIONS]
    ]
    more = f"{len(wrong) - len(rows):,} rarer confusions are left out; scores.json has them."
    return table(["gold", "answer", "count"], rows, kind="left") + _left_out(
        more, when=len(wrong) > len(rows)
    )


def _left_out(text: str, *, when: bool) -> str:
    return f'<p class="soft">{text}</p>' if when else ""


def _calibration(seen: Seen) -> str:
    """The share of right ones among answers of about one confidence, which should be equal."""
    if not seen.claims:
        return ""
    rows = [
        [
            f"{place / 10:.1f} to {(place + 1) / 10:.1f}",
            f"{one.count:,}",
            f"{one.claimed / one.count:.3f}",
            f"{one.right / one.count:.3f}",
        ]
        for place, one in enumerate(seen.bins)
        if one.count
    ]
    text = (
        f"<p>Expected calibration error {seen.calibration_error:.4f} over {seen.claims:,} claims "
        "(an answer, an entity, or one label of several). Bars: share that is right; line: what "
        "it should be.</p>"
    )
    header = ["confidence", "claims", "mean confidence", "right"]
    return text + _bars(seen.bins) + table(header, rows)


def _bars(bins: Iterable[Bin]) -> str:
    bars = []
    for place, one in enumerate(bins):
        height = 150 * one.right / one.count if one.count else 0.0
        x, y = 20 + 60 * place, 160 - height
        bars.append(f'<rect class="bar" x="{x}" y="{y:.1f}" width="52" height="{height:.1f}"/>')
        bars.append(
            f'<text x="{x + 26}" y="176" text-anchor="middle">{place / 10 + 0.05:.2f}</text>'
        )
    line = '<path class="mark" d="M20 160L612 10"/>'
    label = 'role="img" aria-label="share of right answers by confidence"'
    return f'<figure><svg viewBox="0 0 640 184" {label}>{"".join(bars)}{line}</svg></figure>'


def _curves(history: History, *, metric: str) -> str:
    loss = history.loss
    mean = f", mean of {loss.width} steps" if loss.width > 1 else ""
    pictures = [picture(f"loss by step{mean}", loss.points, smooth=True)]
    if metric in history.scores:
        points = history.scores[metric].points
        title = f"{metric} on dev; dashed: the weights that were kept"
        pictures.append(picture(title, points, dots=True, mark=history.best_step))
    pictures.append(picture("learning rate by step", history.learning_rate.points))
    return "".join(pictures)
