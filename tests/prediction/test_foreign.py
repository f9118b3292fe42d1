"""Texts that a model cannot read: Korean to an English run, words that it has no token for."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from samples import Command

import bertft
from bertft.prediction.foreign import has_words

KOREAN = "정말 최악의 영화였다"


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the English encoder, which takes Hangul apart."""
    folder = tmp_path_factory.mktemp("foreign")
    data = folder / "train.csv"
    rows = "a fine film,good\na dull film,bad\n"
    data.write_text("text,label\n" + rows * 6, encoding="utf-8")
    settings = ("training.mode=features", "training.epochs=1")
    path, run = str(data), str(folder / "run")
    return bertft.train("sentiment", train=path, dev=path, out=run, settings=settings).run


@pytest.mark.parametrize("texts", [[KOREAN, "a fine film"], ["a fine film", "배우 연기 good"]])
def test_korean_to_an_english_run(english: Path, command: Command, texts: list[str]) -> None:
    code, out, err = command("predict", *texts, "--run", str(english))
    assert code == 0, err
    assert len(out.splitlines()) == 2
    (told,) = [line for line in err.splitlines() if "warning" in line]
    assert "1 of 2 texts are Korean, which this model never saw" in told
    with pytest.warns(UserWarning, match="1 of 2 texts are Korean"):
        bertft.load(english).predict(texts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Отличный фильм", "in Cyrillic letters"),
        ("فيلم رائع جدا", "in Arabic letters"),
        ("Εξαιρετική ταινία", "in Greek letters"),
        ("这部电影太好看了", "in Chinese characters"),
        ("とてもおもしろい", "Japanese"),
    ],
)
def test_other_scripts_to_an_english_run(english: Path, text: str, said: str) -> None:
    with pytest.warns(UserWarning, match=f"^1 of 2 texts are {said}, which this model never saw"):
        bertft.load(english).predict([text, "a fine film"])


def test_a_vocabulary_with_words_of_a_script_reads_it() -> None:
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    def made(words: list[str]) -> PreTrainedTokenizerFast:
        pieces = Tokenizer(models.WordPiece({word: n for n, word in enumerate(words)}))
        pieces.decoder = decoders.WordPiece()
        return PreTrainedTokenizerFast(tokenizer_object=pieces)

    spelled = made([f"w{n}" for n in range(390)] + list("абвгдеёжзи"))
    assert not has_words(spelled, "cyrillic")
    assert has_words(made([*spelled.get_vocab(), "##ный", "фильм", "кино", "да"]), "cyrillic")


def test_nothing_is_said_of_texts_that_are_read(english: Path, command: Command) -> None:
    code, _, err = command("predict", "a fine film by 봉", "naïve café", "--run", str(english))
    assert code == 0
    assert "warning" not in err
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bertft.load(english).predict(["a fine film", "a dull one"])


def test_a_run_that_was_trained_so_on_purpose(english: Path, tmp_path: Path) -> None:
    import shutil

    run = Path(shutil.copytree(english, tmp_path / "run"))
    recipe = run / "recipe.toml"
    text = recipe.read_text(encoding="utf-8")
    assert "decomposed_hangul = false" in text
    recipe.write_text(text.replace("decomposed_hangul = false", "decomposed_hangul = true"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bertft.load(run).predict([KOREAN])


def test_words_without_a_token(english: Path, command: Command, tmp_path: Path) -> None:
    texts = tmp_path / "notes.txt"
    texts.write_text("☃☃ ☄☄ ✈✈\na fine film ☃☃\n", encoding="utf-8")
    code, _, err = command("predict", str(texts), "--run", str(english))
    assert code == 0
    (told,) = [line for line in err.splitlines() if "warning" in line]
    assert "in 1 of 2 texts half of the tokens or more are unknown" in told
