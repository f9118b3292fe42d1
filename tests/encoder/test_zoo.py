"""The zoo is data, so its tests are facts: each entry agrees with itself and with transformers."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bertft.encoder import zoo
from bertft.encoder.zoo import ZOO, ZooModel, bert_parameters, find, nearest, select

if TYPE_CHECKING:
    from transformers import PretrainedConfig

LANGUAGES = {"en", "ko", "multi"}
LICENCES = {"Apache-2.0", "MIT", "CC-BY-SA-4.0", "unknown"}
SPECIAL = ("pad", "bos", "eos", "cls", "sep")
FAMILIES = {"bert", "distilbert", "electra", "roberta", "xlm-roberta", "modernbert", "deberta-v2"}
GOOGLE_SIZES = {(layers, hidden) for layers in range(2, 13, 2) for hidden in (128, 256, 512, 768)}
EVERY_MODEL = pytest.mark.parametrize("model", ZOO.values(), ids=list(ZOO))
OTHER_FAMILIES = [model for model in ZOO.values() if model.family != "bert"]


@EVERY_MODEL
def test_facts_are_consistent(model: ZooModel) -> None:
    """Heads divide the hidden size; codes, licence and Hub id are well formed; a note is there."""
    assert ZOO[model.name] is model
    assert model.hidden % model.heads == 0
    assert min(model.layers, model.vocabulary, model.max_length) > 0
    assert model.family in FAMILIES
    assert model.languages
    assert set(model.languages) <= LANGUAGES
    assert model.licence in LICENCES
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", model.hub_id)
    assert model.note[:1].isupper()
    assert not model.note.endswith(".")


@EVERY_MODEL
def test_parameters_follow_the_size(model: ZooModel) -> None:
    """A plain BERT has what the formula says; any other has at least its word embeddings."""
    if model.family == "bert":
        formula = bert_parameters(
            layers=model.layers,
            hidden=model.hidden,
            vocabulary=model.vocabulary,
            positions=model.max_length,
        )
        assert model.parameters == pytest.approx(formula, rel=0.01)
    else:
        # ELECTRA-small and KoELECTRA-small embed in half the hidden size.
        assert model.parameters > model.vocabulary * model.hidden // 2


@pytest.mark.parametrize(
    ("layers", "hidden", "vocabulary", "positions"),
    [(2, 128, 30522, 512), (12, 768, 28996, 512), (24, 1024, 30000, 300)],
)
def test_formula_counts_as_transformers_does(
    layers: int, hidden: int, vocabulary: int, positions: int
) -> None:
    """The formula gives the number of parameters of a BertModel, to the last one."""
    from transformers import BertConfig

    config = BertConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
        vocab_size=vocabulary,
        max_position_embeddings=positions,
    )
    formula = bert_parameters(
        layers=layers, hidden=hidden, vocabulary=vocabulary, positions=positions
    )
    assert count_parameters(config) == formula


def test_formula_takes_types_and_intermediate() -> None:
    """Both options reach the count."""
    plain = bert_parameters(layers=1, hidden=4, vocabulary=10)
    assert bert_parameters(layers=1, hidden=4, vocabulary=10, types=3) == plain + 4
    assert bert_parameters(layers=1, hidden=4, vocabulary=10, intermediate=17) == plain + 9


@pytest.mark.parametrize("model", OTHER_FAMILIES, ids=lambda model: model.name)
def test_parameters_of_other_families(model: ZooModel) -> None:
    """The counts written in the table are those of the encoder that transformers builds."""
    assert count_parameters(published_config(model)) == model.parameters


def count_parameters(config: PretrainedConfig) -> int:
    """Build the encoder without memory for its weights, and count them."""
    import torch
    from transformers import AutoModel

    with torch.device("meta"):
        model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    return sum(weight.numel() for weight in model.parameters())


def published_config(model: ZooModel) -> PretrainedConfig:
    """Rebuild what a published ``config.json`` says about sizes, from the entry and its family."""
    from transformers import AutoConfig

    wide = {"intermediate_size": 4 * model.hidden}
    inner = {"modernbert-large": 2624, "mmbert-small": 1152}
    small = model.name in {"electra-small", "koelectra-small-v3"}
    extra: dict[str, dict[str, Any]] = {
        "distilbert": {"hidden_dim": 4 * model.hidden},
        "electra": {**wide, "embedding_size": 128 if small else model.hidden},
        "roberta": {**wide, "max_position_embeddings": 514, "type_vocab_size": 1},
        "xlm-roberta": {**wide, "max_position_embeddings": 514, "type_vocab_size": 1},
        "modernbert": {
            "intermediate_size": inner.get(model.name, model.hidden * 3 // 2),
            **dict.fromkeys((f"{name}_token_id" for name in SPECIAL), 0),
        },
        "deberta-v2": {
            **wide,
            "relative_attention": True,
            "position_buckets": 256,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
    }
    return AutoConfig.for_model(
        model.family,
        num_hidden_layers=model.layers,
        hidden_size=model.hidden,
        num_attention_heads=model.heads,
        vocab_size=model.vocabulary,
        **extra[model.family],
    )


def test_google_sizes_are_complete() -> None:
    """All 24 are there, under a name and a Hub id that say the size."""
    assert len(GOOGLE_SIZES) == 24
    for layers, hidden in GOOGLE_SIZES:
        model = ZOO[f"bert-l{layers}-h{hidden}"]
        assert (model.layers, model.hidden, model.heads) == (layers, hidden, hidden // 64)
        assert model.hub_id == f"google/bert_uncased_L-{layers}_H-{hidden}_A-{hidden // 64}"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("bert-tiny", "bert-l2-h128"),
        ("bert-mini", "bert-l4-h256"),
        ("bert-small", "bert-l4-h512"),
        ("bert-medium", "bert-l8-h512"),
        ("mbert", "bert-base-multilingual-cased"),
    ],
)
def test_find_resolves_aliases(alias: str, name: str) -> None:
    """The names people use lead to the entry."""
    assert find(alias) is ZOO[name]


def test_names_and_aliases_are_unique() -> None:
    """No text names two models, and all are lower case: find() reaches every entry."""
    keys = Counter(key for model in ZOO.values() for key in (model.name, *model.aliases))
    assert max(keys.values()) == 1
    assert all(key == key.lower().strip() for key in keys)
    assert len({model.hub_id for model in ZOO.values()}) == len(ZOO)


def test_find_ignores_case_and_surrounding_space() -> None:
    """BERT-Base-Uncased and bert-base-uncased are one model."""
    assert find(" BERT-Base-Uncased ") is ZOO["bert-base-uncased"]
    assert find("KLUE-BERT-base") is ZOO["klue-bert-base"]


@pytest.mark.parametrize("name", ["", "no-such-model", "google-bert/bert-base-uncased"])
def test_find_knows_only_its_own_names(name: str) -> None:
    """A Hub id is not an alias: it means the Hub, at whatever revision the user asks for."""
    assert find(name) is None


@pytest.mark.parametrize("typo", ["bert-base-uncasd", "Bert-Base-Uncassed", "bertbase-uncased"])
def test_nearest_repairs_a_typo(typo: str) -> None:
    """The best suggestion is what was meant, and there are at most three."""
    suggestions = nearest(typo)
    assert suggestions[0] == "bert-base-uncased"
    assert len(suggestions) <= 3
    assert all(find(name) for name in suggestions)


def test_nearest_stays_silent_when_nothing_is_near() -> None:
    """A wild guess would be worse than none."""
    assert nearest("한국어") == []


def test_select_by_language() -> None:
    """The languages share the zoo out between them, in its order."""
    assert select() == list(ZOO.values())
    assert {model.name for model in select(language="ko")} >= {"klue-bert-base", "kcbert-base"}
    parts = [model for code in ("en", "multi", "ko") for model in select(language=code)]
    assert parts == select()
    assert select(language="xx") == []


def test_order_is_default_first_then_small_to_large() -> None:
    """Each language group is sorted by size, after the embedded default."""
    assert next(iter(ZOO)) == "minilm"
    for code in LANGUAGES:
        sizes = [model.parameters for model in select(language=code) if not model.embedded]
        assert sizes == sorted(sizes)


def test_one_model_is_embedded() -> None:
    """Only minilm needs no download, and only it names a package and a digest."""
    assert [model.name for model in ZOO.values() if model.embedded] == ["minilm"]
    for model in ZOO.values():
        assert bool(model.package) == bool(model.sha256) == model.embedded
    assert re.fullmatch(r"[0-9a-f]{64}", ZOO["minilm"].sha256)


def test_embedded_weights_have_the_digest() -> None:
    """The installed package holds the very weights that the table names."""
    spec = importlib.util.find_spec(ZOO["minilm"].package.replace("-", "_"))
    if spec is None or spec.origin is None:
        pytest.skip("the package with the embedded weights is not installed")
    weights = Path(spec.origin).parent / "model" / "model.safetensors"
    with weights.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == ZOO["minilm"].sha256


def test_zoo_is_read_only() -> None:
    """One model list for the whole program: nobody can change it in passing."""
    with pytest.raises(TypeError):
        ZOO["mine"] = ZOO["minilm"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        ZOO["minilm"].layers = 7  # type: ignore[misc]


def test_imports_only_the_standard_library() -> None:
    """``bertft models list`` and ``--help`` must not wait for torch."""
    tree = ast.parse(Path(zoo.__file__).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert imported <= set(sys.stdlib_module_names)
