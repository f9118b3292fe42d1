"""Translations found again: English and Korean sentences, shuffled, among strangers.

    python benchmarks/alignment.py --model FOLDER_OR_NAME [--prompt "query: "] [--strangers FILE]

Forty sentences with their translations, written for this. Precision and recall of the pairs that
``bertft align`` finds, and accuracy by cosine alone; ``--strangers`` (a text on each line) are put
among the Korean ones. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np

from bertft.commands.embed import embed
from bertft.inside.alignment import align
from bertft.inside.embedder import View
from bertft.inside.request import EncoderRequest

PAIRS = """
The train was late again this morning.|오늘 아침에도 기차가 늦었다.
She bought fresh bread at the corner shop.|그녀는 모퉁이 가게에서 갓 구운 빵을 샀다.
The meeting was moved to Thursday.|회의는 목요일로 옮겨졌다.
My grandmother grew up on an island.|우리 할머니는 섬에서 자라셨다.
The river floods the fields every spring.|그 강은 봄마다 들판을 물에 잠기게 한다.
He forgot his umbrella on the bus.|그는 버스에 우산을 두고 내렸다.
The museum is closed on Mondays.|박물관은 월요일에 문을 닫는다.
A loud noise woke the whole village.|큰 소리가 온 마을을 깨웠다.
The doctor told him to drink more water.|의사는 그에게 물을 더 마시라고 했다.
Interest rates will rise next year.|내년에는 금리가 오를 것이다.
They painted the kitchen yellow.|그들은 부엌을 노란색으로 칠했다.
The cat is sleeping on the windowsill.|고양이가 창턱에서 자고 있다.
Students must hand in the essay by Friday.|학생들은 금요일까지 글을 제출해야 한다.
The bridge was built in the last century.|그 다리는 지난 세기에 지어졌다.
I cannot find my keys anywhere.|열쇠를 어디에서도 찾을 수가 없다.
The soup needs a little more salt.|국에 소금을 조금 더 넣어야 한다.
Our team lost the final by one goal.|우리 팀은 결승에서 한 골 차로 졌다.
The company opened a factory in Busan.|그 회사는 부산에 공장을 열었다.
Please turn off the light when you leave.|나갈 때 불을 꺼 주세요.
The children built a house of snow.|아이들이 눈으로 집을 지었다.
Coffee tastes better in the mountains.|산에서 마시는 커피가 더 맛있다.
The police are looking for a witness.|경찰이 목격자를 찾고 있다.
Her new novel is about two sisters.|그녀의 새 소설은 두 자매의 이야기다.
The library lends books for three weeks.|도서관은 책을 삼 주 동안 빌려준다.
It has not rained for forty days.|사십 일 동안 비가 오지 않았다.
He plays the violin in an orchestra.|그는 오케스트라에서 바이올린을 연주한다.
The price of rice has doubled.|쌀값이 두 배가 되었다.
We waited an hour in front of the theatre.|우리는 극장 앞에서 한 시간을 기다렸다.
The old man feeds pigeons in the park.|그 노인은 공원에서 비둘기에게 먹이를 준다.
The software update takes ten minutes.|소프트웨어 업데이트에는 십 분이 걸린다.
Nobody answered the phone last night.|어젯밤에는 아무도 전화를 받지 않았다.
The road to the lake is icy.|호수로 가는 길이 얼어 있다.
The mayor promised cheaper housing.|시장은 더 싼 주택을 약속했다.
This medicine should be taken after meals.|이 약은 식사 후에 먹어야 한다.
The moon looked red above the sea.|바다 위의 달이 붉게 보였다.
My brother is learning to drive.|내 남동생은 운전을 배우고 있다.
The flight to Paris takes twelve hours.|파리까지 비행기로 열두 시간이 걸린다.
The teacher explained the rule twice.|선생님은 그 규칙을 두 번 설명하셨다.
A fox ran across the garden.|여우 한 마리가 정원을 가로질러 뛰어갔다.
The concert was cancelled because of the storm.|폭풍 때문에 공연이 취소되었다.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt", default="query: ")
    parser.add_argument("--strangers", default="")
    given = parser.parse_args()
    pairs = [line.split("|") for line in PAIRS.strip().splitlines()]
    english, korean = [one for one, _ in pairs], [other for _, other in pairs]
    order = random.Random(3).sample(range(len(pairs)), len(pairs))
    others = [korean[place] for place in order]
    if given.strangers:
        others += Path(given.strangers).read_text(encoding="utf-8").splitlines()[:1000]
    view, encoder = View(normalize=True, prompt=given.prompt), EncoderRequest(model=given.model)
    first, second = (embed(texts, encoder=encoder, view=view) for texts in (english, others))
    found: dict[str, object] = {"model": given.model, "pairs": len(pairs), "others": len(others)}
    nearest = np.argmax(first @ second.T, axis=1).tolist()
    gold = {place: number for number, place in enumerate(order)}
    found["by_cosine"] = sum(gold[n] == one for n, one in enumerate(nearest)) / len(pairs)
    for threshold in (0.0, 1.0, 1.02, 1.05, 1.1):
        aligned = align(first, second, threshold=threshold)
        right = sum(gold.get(one.first) == one.second for one in aligned)
        found[f"margin {threshold}"] = {
            "precision": right / max(1, len(aligned)), "recall": right / len(pairs),
        }  # fmt: skip
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
