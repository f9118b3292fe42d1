"""Runs for a person: the list of them, one as a page, two compared, what can go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bertft.console.output import emit_facts, emit_table
from bertft.console.scores import equal_scores, show_scores
from bertft.words import counted, duration, size

if TYPE_CHECKING:
    from bertft.console.console import Console
    from bertft.runs.cleaning import Leftover


def show_runs(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Finished runs as a table, then the others with what goes on with them."""
    finished = [row for row in rows if row["state"] == "finished"]
    others = [row for row in rows if row["state"] != "finished"]
    if not rows:
        console.say("none")
    if finished:
        keys = ("recipe", "mode", "split", "n", "metric", "value")
        table = [[_name(row["run"]), *(row[key] for key in keys)] for row in finished]
        emit_table(("run", *keys), table)
    for row in others:
        where = f"{_name(row['run'])}: {row['state']}, step {row['step']:,} of {row['steps']:,}"
        console.note(where + (f"; go on with: {row['resume']}" if "resume" in row else ""))


def _name(run: str) -> str:
    """A run as it can be named; the folder runs/ need not be."""
    return run.removeprefix("runs/")


def show_run(console: Console, run: Mapping[str, Any]) -> None:
    """A run as a page: what it is made of, how it was made, its scores, what to do with it."""
    emit_facts({name: value for name, value in _facts(run).items() if value})
    if run["scores"]:
        console.say("")
        show_scores(console, run["scores"])
    console.say("")
    use = f"predict YOUR.txt --run {_name(run['run'])}"
    if run["task"] == "retrieval":
        use = f"search 'a question' FILES --model {run['run']}"
    console.say(f"next    bertft {use}")
    console.say(f"        open {run['run']}/report.html (all numbers: --json)")


def _facts(run: Mapping[str, Any]) -> dict[str, str]:
    model, versions = run.get("model", {}), run.get("versions", {})
    labels = run.get("labels", [])
    more = f", ... ({len(labels)} labels)" if len(labels) > 8 else ""
    revision = str(model.get("revision", ""))[:40]
    steps = f"{counted(run['steps'], 'step')} in {duration(run['seconds'])}" if run["steps"] else ""
    kept = f", weights of step {run['best_step']:,}" if run["best_step"] else ""
    device = f"{run['device']}, {run['precision']['used']}" if "device" in run else ""
    threads = f", {counted(run['threads'], 'thread')}" if run.get("device") == "cpu" else ""
    return {
        "run": run["run"],
        "recipe": f"{run.get('recipe', '')}: {run['task']}, {run['kind']}",
        "encoder": f"{model.get('name', '')}" + (f" ({revision})" if revision else ""),
        "labels": ", ".join(labels[:8]) + more,
        "data": ", ".join(f"{name} {one['path']}" for name, one in run.get("data", {}).items()),
        "started": str(run.get("started", ""))[:16].replace("T", " "),
        "trained": steps + kept,
        "machine": device + threads,
        "versions": ", ".join(
            f"{name} {versions[name]}"
            for name in ("bertft", "torch", "transformers")
            if name in versions
        ),
        "size": size(run["bytes"]),
    }


def show_comparison(result: Mapping[str, Any]) -> None:
    """Each score of both runs, the difference with its interval, and p."""
    hidden = equal_scores(result["metrics"])
    rows = [
        (
            name,
            f"{one['a']:.4f}",
            f"{one['b']:.4f}",
            f"{one['b - a']:+.4f}",
            f"{one['low']:+.4f} to {one['high']:+.4f}",
            f"{one['p']:.4f}",
        )
        for name, one in result["metrics"].items()
        if name not in hidden
    ]
    emit_facts({"a": result["a"], "b": result["b"], "examples": f"{result['n']:,}"})
    emit_table(("score", "a", "b", "b - a", "95 % CI", "p"), rows)


def show_leftovers(console: Console, leftovers: Sequence[Leftover]) -> None:
    """What can go, with sizes."""
    rows = [(size(one.bytes), str(one.folder), one.why) for one in leftovers]
    console.show_table(("size", "folder", "what it is"), rows)
    console.say(f"{size(sum(one.bytes for one in leftovers))} in all")
