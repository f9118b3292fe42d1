"""What a server says of its paths, in English and in Korean: a text in, the same in the language of
whoever reads it out."""

from __future__ import annotations

from typing import Protocol

KOREAN = {
    # --- summaries of paths
    "Whether models answer": "모델이 답할 준비가 되었는지",
    "The first model and its limits": "첫째 모델과 그 한도",
    "Numbers for Prometheus": "Prometheus용 수치",
    "The server": "서버",
    "Whether the server lives": "서버가 살아 있는지",
    "Vectors, as OpenAI": "벡터(OpenAI 방식)",
    "The model {}": "{} 모델",
    "What {} reads and gives": "{} 모델의 입력과 출력",
    "Whether {} answers": "{} 모델이 답할 준비가 되었는지",
    "What a prediction of {} rests on": "{} 모델의 예측 근거",
    "Answers of {}": "{} 모델의 답",
    "Answers of {}, as bertft": "{} 모델의 답(bertft의 JSON)",
    "Answers of {}, as text-embeddings-inference": "{} 모델의 답(text-embeddings-inference 방식)",
    "Vectors": "벡터",
    "Similarities to a sentence": "한 문장과의 유사도",
    "Texts by how well they go with a query": "질의에 잘 맞는 순서로 텍스트",
    "Tokens": "토큰",
    # --- bodies
    "A text, a pair, or several of them.": "텍스트나 텍스트 쌍 하나 또는 여러 개.",
    "A text, or several.": "텍스트 하나 또는 여러 개.",
    "A question and the passage that answers it.": "질문과 그 답이 있는 지문.",
    "A text with [MASK] where a word is missing, or several.":
        "빠진 단어 자리에 [MASK]가 있는 텍스트 하나 또는 여러 개.",
    "A text, or several, whose vectors are asked for.": "벡터를 구할 텍스트 하나 또는 여러 개.",
    "A sentence, and those that it is compared with.": "한 문장과 비교할 문장들.",
    'A text, a pair ["a", "b"], or a batch of both [["a"], ["b", "c"]].':
        '텍스트, 쌍 ["a", "b"] 또는 둘의 배치 [["a"], ["b", "c"]].',
    "As OpenAI's.": "OpenAI와 같습니다.",
    "The texts that the model reads, in their order.": "모델이 읽는 텍스트를 순서대로.",
    # --- the page
    "Paths of this server": "이 서버의 경로",
    "Try it": "써 보기",
    "Every path, what it takes, and a line for a terminal that asks it.":
        "경로와 각 경로가 받는 값, 터미널에 붙여 넣어 요청할 수 있는 명령입니다.",
    "the same for programs": "프로그램용 문서",
    "The key of this server is read from the variable BERTFT_KEY.":
        "이 서버의 키는 BERTFT_KEY 변수에서 읽습니다.",
    "Model {}": "{} 모델",
    "The first model": "첫째 모델",
    "Field": "필드",
    "Type": "유형",
    "Limits": "한도",
    "Default": "기본값",
    "required": "필수",
    "{} items": "{}개",
    "{} characters": "{}자",
    "Answers that are no answer": "요청을 들어줄 수 없을 때",
    "What is not met is answered with a code and one line:":
        "들어줄 수 없는 요청에는 코드와 설명 한 줄로 답합니다.",
    "no inputs": "입력이 없음", "no key": "키가 없음", "another site": "다른 사이트",
    "no such model": "그런 모델이 없음", "slow body": "본문이 늦게 도착함", "too large": "너무 큼",
    "not understood": "이해할 수 없음", "the model failed": "모델에서 오류가 남",
    "too busy": "요청이 너무 많음", "not ready": "준비되지 않음", "too slow": "제한 시간을 넘김",
    "texts in a request": "한 요청의 텍스트 수",
    "texts in a request of /v1/embeddings and /v2/models":
        "/v1/embeddings와 /v2/models 요청의 텍스트 수",
    "bytes of a body": "본문의 바이트 수",
    "seconds to an answer": "답까지의 초",
    "requests that wait": "기다리는 요청의 수",
}  # fmt: skip


class Say(Protocol):
    """A text, with values in the place of its ``{}``, in a language."""

    def __call__(self, text: str, *values: object) -> str: ...


def english(text: str, *values: object) -> str:
    return text.format(*values) if values else text


def korean(text: str, *values: object) -> str:
    return english(KOREAN.get(text, text), *values)
