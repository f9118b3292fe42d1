"""Fast dropout: the law of torch's, masks as a pure function of seed and step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from bertft.encoder.attention import packed_attention, plan_groups
from bertft.encoder.dropout import FastDropout, Masks, use_fast_dropout
from bertft.heads.sequence import SequenceHead

KINDS = pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])


def masks(step: int = 0, *, seed: int = 5) -> Masks:
    made = Masks(seed=seed)
    made.begin(step)
    return made


@KINDS
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 1 / 65_536])
def test_the_law_of_the_masks(kind: torch.dtype, p: float) -> None:
    """Each element is dropped with probability p, apart from its neighbours and from before."""
    source = masks()
    one, other = (source.draw(torch.Size([1000, 401]), p, kind) for _ in range(2))
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
    out = FastDropout(0.25, masks())(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())
    assert 0 < float((out == 0).float().mean()) < 0.5


def test_masks_depend_on_seed_step_and_process_only() -> None:
    shape, kind = torch.Size([64]), torch.float32
    first = masks(3)
    drawn = [first.draw(shape, 0.5, kind) for _ in range(3)]
    again = masks(9)
    again.begin(3)
    assert all(torch.equal(one, again.draw(shape, 0.5, kind)) for one in drawn)
    for other in (masks(4), masks(3, seed=6)):
        assert not torch.equal(drawn[0], other.draw(shape, 0.5, kind))
    second = Masks(seed=5, process=1)
    second.begin(3)
    assert not torch.equal(drawn[0], second.draw(shape, 0.5, kind))


def test_nothing_is_dropped_outside_of_training() -> None:
    x = torch.ones(5, 5)
    module = FastDropout(0.5, masks())
    assert module.eval()(x) is x
    assert FastDropout(0.0, masks())(x) is x
    assert float(FastDropout(1.0, masks())(x).sum()) == 0


def test_every_dropout_of_a_model_is_replaced(tiny: Path) -> None:
    model = SequenceHead(("a", "b")).build(tiny)
    before = [module.p for module in model.modules() if type(module) is nn.Dropout]
    names = set(model.state_dict())
    use_fast_dropout(model, seed=1)
    assert [m.p for m in model.modules() if isinstance(m, FastDropout)] == before
    assert not any(type(module) is nn.Dropout for module in model.modules())
    assert set(model.state_dict()) == names


def test_attention_weights_are_dropped_by_it() -> None:
    """Same masks, same output; another step, another one."""
    module = nn.Module()
    module.dropout = FastDropout(0.25, masks())
    same = torch.ones(1, 2, 10, 8, requires_grad=True)
    found = []
    for step in (1, 1, 2):
        module.dropout.masks.begin(step)
        out = packed_attention(
            module, same, same, same, None, dropout=0.25, packing=plan_groups([4, 6])
        )[0]
        found.append(out.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    sums = found[0][:, :4, :, 0] * 3
    assert torch.allclose(sums, sums.round(), atol=1e-4)
