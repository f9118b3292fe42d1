"""Names that people give to columns, by what stands in them; the names of a file in, a meaning out.

Case, spaces, underscores, hyphens and dots do not matter. The first of a tuple is the likeliest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from bertft.loaders.ids import ID_COLUMNS

TEXT = (
    "text", "sentence", "document", "review", "content", "comment", "utterance", "query",
    "sentence1", "premise", "question1", "text_a", "question", "body", "message", "tweet", "post",
    "description", "opinion", "feedback", "review_text", "review_body", "comment_text", "headline",
    "본문", "내용", "문장", "텍스트", "리뷰", "후기", "댓글", "의견", "고객의견", "코멘트", "질의",
    "발화", "글", "리뷰내용", "문장1", "전제", "질문1", "질문", "제목",
)  # fmt: skip
PAIR = (
    "text_pair", "sentence2", "hypothesis", "question2", "text_b", "text2", "문장2", "가설",
    "질문2",
)  # fmt: skip
LABEL = (
    "label", "labels", "category", "intent", "class", "sentiment", "emotion", "target",
    "gold_label", "soft_labels", "score", "similarity", "rating", "verdict", "stars", "polarity",
    "tag", "topic",
    "레이블", "라벨", "분류", "범주", "카테고리", "감정", "감성", "긍부정", "평가", "의도", "주제",
    "정답", "별점", "평점", "점수", "유사도", "등급", "판정", "관계",
)  # fmt: skip
CONTEXT = ("context", "passage", "paragraph", "문맥", "지문", "본문", "문단")
QUESTION = ("question", "query", "질문", "질의", "문제")
ANSWER = ("answer", "answer_text", "정답", "답변", "답")
SOURCE = ("source", "domain", "genre", "출처", "도메인", "장르")
"""Where a text comes from: reports compare scores by it."""
IDS = (*ID_COLUMNS, "index", "no", "number", "unnamed: 0")

_IDLE = re.compile(r"[\s_.\-]+")
_WORDS = re.compile(r"[\s_.\-]+|(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=1024)
def folded(name: str) -> str:
    """A name as names are compared."""
    return _IDLE.sub("", unicodedata.normalize("NFC", name).casefold())


_KNOWN = {folded(name) for names in (TEXT, PAIR, LABEL, CONTEXT, QUESTION, ANSWER, IDS)
          for name in names}  # fmt: skip
_UNLIKE_TEXT = {folded(name) for name in (*LABEL, *IDS)}


def is_known(name: str) -> bool:
    """Whether a name means something here."""
    return folded(name) in _KNOWN


def is_id(name: str) -> bool:
    """Whether a name is one of ids or numbers of rows."""
    return not name.strip() or folded(name) in {folded(one) for one in IDS}


def named(found: Sequence[str], usual: Sequence[str]) -> list[str]:
    """The columns whose names are of some usual ones, the likeliest first."""
    there = {folded(name): name for name in reversed(found)}
    return [there[key] for name in usual if (key := folded(name)) in there]


def ending_in(found: Sequence[str], usual: Sequence[str]) -> list[str]:
    """The columns whose names end in a usual one: "customer comment", "고객 리뷰", "리뷰내용"."""
    ends = {folded(name) for name in usual}
    korean = tuple(name for name in ends if not name.isascii() and len(name) > 1)
    return [
        name
        for name in found
        if folded(_WORDS.split(name.strip())[-1]) in ends or folded(name).endswith(korean)
    ]
