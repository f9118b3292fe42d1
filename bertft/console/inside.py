"""Tables of what the verbs that look inside an encoder answer: answers in, stdout out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertft.console.output import emit_facts, emit_table

Answers = Iterable[dict[str, Any]]


def show_tokens(answers: Answers) -> None:
    for answer in answers:
        facts = {
            "tokens": " ".join(answer["tokens"]),
            "ids": " ".join(map(str, answer["ids"])),
            "attention_mask": " ".join(map(str, answer["attention_mask"])),
            "token_type_ids": " ".join(map(str, answer["token_type_ids"])),
            "offsets": " ".join(f"{start}-{end}" for start, end in answer["offsets"]),
            "decoded": answer["decoded"],
        }
        emit_facts({name: value for name, value in facts.items() if value})


def show_pairs(answers: Answers) -> None:
    rows = [(f"{one['similarity']:.4f}", one["text"], one["text_pair"]) for one in answers]
    emit_table(("similarity", "text", "other"), rows)


def show_explained(answers: Answers, *, top_k: int) -> None:
    """The strongest words of each explanation and how far to trust them; else the rollout."""
    for answer in answers:
        for one in answer["explanations"]:
            test = one["faithfulness"]
            facts = {"text": answer["id"], "explained": one["target"]}
            facts["completeness error"] = f"{abs(one['error']):.2g}"
            facts[f"score falls without the top {test['deleted']}"] = f"{test['top']:.3f}"
            facts[f"without {test['deleted']} random words"] = f"{test['random']:.3f}"
            emit_facts(facts)
            words = sorted(one["words"], key=lambda word: -abs(word["attribution"]))[:top_k]
            rows = [(word["text"], f"{word['attribution']:+.4f}") for word in words]
            emit_table(("word", "attribution"), rows)
        if not answer["explanations"]:
            shares = zip(answer["tokens"], answer["rollout"], strict=True)
            rows = [(token, f"{share:.4f}") for token, share in shares]
            emit_table(("token", "attention rollout"), rows)


def show_masks(answers: Answers) -> None:
    rows = [
        (answer["text"], number, token["token"], f"{token['probability']:.4f}")
        for answer in answers
        for number, tokens in enumerate(answer["masks"], start=1)
        for token in tokens
    ]
    emit_table(("text", "mask", "token", "probability"), rows)


def show_follows(answers: Answers) -> None:
    rows = [
        (
            "yes" if one["follows"] else "no",
            f"{one['probability']:.4f}",
            one["text"],
            one["text_pair"],
        )
        for one in answers
    ]
    emit_table(("follows", "probability", "text", "next"), rows)


def show_log_likelihoods(answers: Answers) -> None:
    rows = [
        (
            "-" if one["perplexity"] is None else f"{one['perplexity']:.2f}",
            f"{one['log_likelihood']:.3f}",
            one["tokens"],
            one["text"],
        )
        for one in answers
    ]
    emit_table(("perplexity", "log likelihood", "tokens", "text"), rows)
