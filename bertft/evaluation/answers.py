"""Gold answers and given answers of questions in, counts per question and scores out.

Three scorings, each as its official script has it (white space is squeezed last in all of them):

squad    SQuAD 1.1 and 2.0: lower case, no ASCII punctuation, no a/an/the; F1 over words. As in 2.0,
         golds that normalise to nothing are left out, which 1.1 does not do.
korquad  KorQuAD 1.0: quotes and brackets become spaces, then as above but with articles; F1 over
         characters. Two texts that both normalise to nothing match exactly and have F1 0.
klue     KLUE-MRC: lower case, no ASCII punctuation; ROUGE-W, which there is the F1 of the longest
         common run of characters, spaces included.

Sources: evaluate-v1.1.py and evaluate-v2.0.py (Rajpurkar et al. 2016 and 2018), KorQuAD 1.0's
evaluation script (Lim, Kim and Lee 2019), klue_baseline/metrics/utils.py (Park et al. 2021).

A question without golds has no answer: it is right when the given answer normalises to nothing.
An answer of None is a missing one and wrong everywhere.

Shape legend: N questions, K values per question.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

from bertft.evaluation.calibration import columns
from bertft.evaluation.metrics import ratio

if TYPE_CHECKING:
    from bertft.contracts import FloatArray

Scoring = Literal["squad", "korquad", "klue"]

ARTICLES = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = {ord(character): None for character in string.punctuation}
KORQUAD_SPACES = {ord(character): " " for character in "'\"《》<>〈〉()‘’"}
# The class ends before the round brackets, so that the script replaces these five characters only
# in a row; single ones, such as 《, are compared. Fixing it would change published scores.
KLUE_SPACES = re.compile(r"['\"《》<>〈〉]\(\)‘’")


def normalize(text: str, *, scoring: Scoring) -> str:
    """The text as its scoring compares it. Raises ValueError for an unknown scoring."""
    if scoring == "squad":
        text = ARTICLES.sub(" ", text.lower().translate(NO_PUNCTUATION))
    elif scoring == "korquad":
        text = text.translate(KORQUAD_SPACES).lower().translate(NO_PUNCTUATION)
    elif scoring == "klue":
        text = KLUE_SPACES.sub(" ", text.lower()).translate(NO_PUNCTUATION)
    else:
        raise ValueError(f"scoring is one of {', '.join(get_args(Scoring))}, not {scoring!r}")
    return " ".join(text.split())


def exact_match(answer: str, golds: Sequence[str], *, scoring: Scoring) -> float:
    """1 where the answer equals one of the golds after normalisation, else 0."""
    return _score(answer, golds, scoring=scoring)[0]


def f1(answer: str, golds: Sequence[str], *, scoring: Scoring) -> float:
    """The best F1 of the answer with any of the golds; for klue its ROUGE-W."""
    return _score(answer, golds, scoring=scoring)[1]


def question_counts(
    golds: Sequence[Sequence[str]], answers: Sequence[str | None], *, scoring: Scoring
) -> FloatArray:
    """Rows [N, 3]: exact match, F1 and 1 of a question with golds; zeros of one without.

    Where any question has no golds the rows are [N, 5], with two more columns that are zero for
    questions with golds: whether nothing was answered, and 1.
    """
    if len(golds) != len(answers):
        raise ValueError(f"{len(golds)} questions have {len(answers)} answers")
    rows = np.zeros((len(golds), 5))
    for row, (texts, answer) in enumerate(zip(golds, answers, strict=True)):
        scores = (0.0, 0.0) if answer is None else _score(answer, texts, scoring=scoring)
        if texts:
            rows[row, :3] = (*scores, 1)
        else:
            rows[row, 3:] = (scores[0], 1)
    return rows if rows[:, 4].any() else np.ascontiguousarray(rows[:, :3])


def question_metrics(totals: FloatArray, *, scoring: Scoring = "squad") -> dict[str, FloatArray]:
    """Scores [...] from sums [..., 3] or [..., 5] of ``question_counts``, as fractions.

    - exact_match, f1 (klue: rouge_w): means over all questions.
    - with five columns also has_answer_exact_match, has_answer_f1 (has_answer_rouge_w) and
      no_answer_accuracy: the means over the questions with golds and over those without.
    """
    if totals.shape[-1] not in (3, 5):
        raise ValueError(f"totals of shape {totals.shape} are neither 3 nor 5 sums")
    overlap = "rouge_w" if scoring == "klue" else "f1"
    exact, common, with_golds = (totals[..., column] for column in range(3))
    if totals.shape[-1] == 3:
        return {"exact_match": ratio(exact, with_golds), overlap: ratio(common, with_golds)}
    right, without = totals[..., 3], totals[..., 4]
    return {
        "exact_match": ratio(exact + right, with_golds + without),
        overlap: ratio(common + right, with_golds + without),
        "has_answer_exact_match": ratio(exact, with_golds),
        f"has_answer_{overlap}": ratio(common, with_golds),
        "no_answer_accuracy": ratio(right, without),
    }


def _score(answer: str, golds: Sequence[str], *, scoring: Scoring) -> tuple[float, float]:
    """Exact match and F1, each the best over the golds."""
    given = normalize(answer, scoring=scoring)
    wanted = {normalize(gold, scoring=scoring) for gold in golds}
    if scoring == "squad":
        wanted.discard("")
    if not wanted:
        return (0.0, 0.0) if given else (1.0, 1.0)
    return float(given in wanted), max(_overlap(given, gold, scoring) for gold in wanted)


def _overlap(given: str, gold: str, scoring: Scoring) -> float:
    """F1 of what two normalised texts share."""
    if not given or not gold:
        return float(given == gold and scoring != "korquad")
    if given == gold:
        return 1.0
    if scoring == "klue":
        return _harmonic(_longest_common_run(given, gold), len(given), len(gold))
    if scoring == "squad":
        one, other = given.split(), gold.split()
    else:
        one, other = list(given.replace(" ", "")), list(gold.replace(" ", ""))
    common = Counter(one) & Counter(other)
    return _harmonic(sum(common.values()), len(one), len(other))


def _harmonic(common: int, given: int, gold: int) -> float:
    """F1 in the order of the scripts' operations, which decides about the last bit."""
    if common == 0:
        return 0.0
    precision, recall = common / given, common / gold
    return (2 * precision * recall) / (precision + recall)


def _longest_common_run(one: str, other: str) -> int:
    """Length of the longest string that both contain.

    The script asks difflib, which passes over frequent characters in golds of 200 characters and
    more and can then miss the longest; this does not.
    """
    short, long = sorted((one, other), key=len)
    best = 0
    for start in range(len(short)):
        while start + best < len(short) and short[start : start + best + 1] in long:
            best += 1
    return best


def best_null_threshold(
    margins: npt.ArrayLike, correct_f1: npt.ArrayLike, unanswerable: npt.ArrayLike
) -> tuple[float, float]:
    """The threshold that gives the highest mean F1, and that mean F1.

    ``margins`` [N] are null score minus best span score; nothing is answered where the margin is
    above the threshold. ``correct_f1`` [N] is the F1 of the best span, ``unanswerable`` [N] whether
    the question has no golds. All thresholds are tried, as find_best_thresh of evaluate-v2.0.py
    does, but equal margins stay together and the threshold lies between two margins, not on one:
    halfway, or at 0 where 0 is between them too, or 1 beyond the outermost. Of equally good
    thresholds the one nearest to 0 is taken; without questions it is 0. Raises ValueError for
    margins that are not finite.
    """
    margins, gains, empty = columns(margins, correct_f1, unanswerable)
    if len(margins) == 0:
        return 0.0, 0.0
    order = np.argsort(margins, kind="stable")
    margins = margins[order]
    gained = np.concatenate([[0.0], np.cumsum((gains - empty)[order])])  # [N + 1] by number kept
    apart = np.concatenate([[True], margins[1:] > margins[:-1], [True]])
    means = np.where(apart, (empty.sum() + gained) / len(margins), -np.inf)
    # Ends that hold 0 or lie 2 beyond the outermost margin, so that halfway is 1 beyond it.
    low = np.concatenate([[min(margins[0], 0.0) - 2], margins])
    high = np.concatenate([margins, [max(margins[-1], 0.0) + 2]])
    middle = low / 2 + high / 2
    # Halfway between neighbouring floats may round to the upper one, which must stay above.
    middle = np.where((low <= middle) & (middle < high), middle, low)
    thresholds = np.where((low <= 0) & (high > 0), 0.0, middle)
    best = np.flatnonzero(means >= means.max() - 1e-12)
    choice = best[np.abs(thresholds[best]).argmin()]
    return float(thresholds[choice]), float(means[choice])
