"""similar: how alike texts are, by the cosine of their sentence vectors.

Pairs, the nearest texts to a query, or near duplicates within files; the search is exact. Answers
are one dict each: ``similarity`` with the ids and texts it is between.
"""

from __future__ import annotations

from collections.abc import Iterator

from bertft.contracts import Answer
from bertft.errors import BertftError
from bertft.inside.comparing import Similarity, SimilarRequest
from bertft.watch import Watch


def similar(request: SimilarRequest, *, watch: Watch) -> Iterator[Answer]:
    """Answers in the order of the input; nearest first for a query.

    Raises:
        BertftError: the request asks for nothing or for two things, or the files are at fault.
    """
    _check(request)
    return Similarity(request, watch=watch).answers()


def _check(request: SimilarRequest) -> None:
    """Raise BertftError for a request that asks for nothing, or for two things at once."""
    asked = [
        name
        for name, is_asked in {
            "--pair": bool(request.pairs),
            "--query": bool(request.query),
            "--threshold": request.threshold is not None,
        }.items()
        if is_asked
    ]
    if len(asked) > 1:
        raise BertftError(f"{' and '.join(asked)} ask for different things", hint="choose one")
    if request.pairs and request.texts.arguments:
        raise BertftError("--pair compares its two texts, no files", hint="leave the files out")
    if not request.pairs and not request.texts.has_files:
        hint = 'give --pair "a text" "another", or a file with --query or --threshold'
        raise BertftError("similar has nothing to compare", hint=hint)
