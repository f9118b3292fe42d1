"""Fast dropout: the law of torch's own, and masks that follow torch's random state."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

from bertft.encoder.attention import packed_attention, plan_groups
from bertft.encoder.dropout import FastDropout, set_dropout, use_fast_dropout
from bertft.heads.sequence import SequenceHead

KINDS = pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])


@KINDS
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 1 / 65_536])
def test_the_law_of_the_masks(kind: torch.dtype, p: float) -> None:
    """Each element is dropped with probability p, apart from its neighbours and from before."""
    torch.manual_seed(5)
    source = FastDropout(p)
    one, other = (source.mask(torch.Size([1000, 401]), kind) for _ in range(2))
    dropped = (one == 0).double()
    spread = (p * (1 - p) / dropped.numel()) ** 0.5
    assert abs(float(dropped.mean()) - p) < 5 * spread
    share = round(p * 65_536) / 65_536
    assert set(one.unique().tolist()) <= {0.0, float(torch.tensor(1 / (1 - share), dtype=kind))}
    assert share == pytest.approx(p, abs=1 / 65_536)
    if p in (0.1, 0.5):
        pairs = [(dropped[:, 1:], dropped[:, :-1]), (dropped[1:], dropped[:-1])]
        pairs.append((dropped, (other == 0).double()))
        for left, right in pairs:
            both = float((left * right).mean())
            assert abs(both - p * p) < 6 * (p * p / left.numel()) ** 0.5


@KINDS
def test_gradients_pass_where_values_do(kind: torch.dtype) -> None:
    x = torch.ones(30, 40, dtype=kind, requires_grad=True)
    out = FastDropout(0.25)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())
    assert 0 < float((out == 0).float().mean()) < 0.5


def test_masks_follow_the_random_state_of_torch() -> None:
    """So resumed runs and recomputed activations see the masks of the first time."""
    shape, kind = torch.Size([64]), torch.float32
    torch.manual_seed(3)
    state = torch.get_rng_state()
    drawn = [FastDropout(0.5).mask(shape, kind) for _ in range(3)]
    assert not torch.equal(drawn[0], drawn[1])
    torch.set_rng_state(state)
    one = FastDropout(0.5)
    assert all(torch.equal(mask, one.mask(shape, kind)) for mask in drawn)


def test_nothing_is_dropped_outside_of_training() -> None:
    x = torch.ones(5, 5)
    module = FastDropout(0.5)
    assert module.eval()(x) is x
    assert FastDropout(0.0)(x) is x
    assert float(FastDropout(1.0)(x).sum()) == 0


def test_every_dropout_of_a_model_is_replaced(tiny: Path) -> None:
    model = SequenceHead(("a", "b")).build(tiny)
    before = [module.p for module in model.modules() if type(module) is nn.Dropout]
    names = set(model.state_dict())
    use_fast_dropout(model)
    assert [m.p for m in model.modules() if isinstance(m, FastDropout)] == before
    assert not any(type(module) is nn.Dropout for module in model.modules())
    assert set(model.state_dict()) == names


def test_attention_weights_are_dropped_by_it() -> None:
    """Same masks, same output; other masks, another one."""
    module = nn.Module()
    module.dropout = FastDropout(0.25)
    same = torch.ones(1, 2, 10, 8, requires_grad=True)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        out = packed_attention(
            module, same, same, same, None, dropout=0.25, packing=plan_groups([4, 6])
        )[0]
        found.append(out.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    sums = found[0][:, :4, :, 0] * 3
    assert torch.allclose(sums, sums.round(), atol=1e-4)


@pytest.mark.parametrize("kind", ["Bert", "DistilBert", "ModernBert", "Electra", "XLMRoberta"])
def test_the_probability_is_set_everywhere(kind: str) -> None:
    """Without dropout a model in training computes what it computes otherwise."""
    shape = {
        "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "pad_token_id": 0,
    }  # fmt: skip
    if kind == "DistilBert":
        shape = {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    rates = {"ModernBert": {"attention_dropout": 0.3, "mlp_dropout": 0.3}}
    config = getattr(transformers, f"{kind}Config")(**shape, **rates.get(kind, {}))
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}ForSequenceClassification")(config)
    before = config.to_dict()
    ids = torch.arange(1, 21)[None]
    calm = model.eval()(input_ids=ids).logits
    model.train()
    assert not torch.equal(model(input_ids=ids).logits, calm)
    set_dropout(model, 0.0)
    assert torch.allclose(model(input_ids=ids).logits, calm, atol=1e-6)
    set_dropout(model, 0.4)
    assert not torch.allclose(model(input_ids=ids).logits, calm, atol=1e-4)
    assert model.config.to_dict() == before
