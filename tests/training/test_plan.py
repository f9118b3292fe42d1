"""The order of training: every Encoded once per epoch, as a pure function of seed and epoch."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.training.plan import GROUP, Plan, inference_batches

LENGTHS = st.lists(st.integers(2, 64), min_size=1, max_size=120)
SMALL = st.integers(1, 9)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    return Plan(
        lengths=tuple(draw(LENGTHS)),
        batch_size=draw(SMALL),
        accumulation=draw(st.integers(1, 4)),
        epochs=draw(st.integers(1, 3)),
        seed=draw(st.integers(0, 2**32 - 1)),
        processes=draw(st.integers(1, 4)),
    )


def whole_epoch(plan: Plan, epoch: int) -> list[int]:
    return [i for s in range(plan.steps_per_epoch) for i in plan.sample(epoch=epoch, step=s)]


@settings(deadline=None)
@given(plans())
def test_every_epoch_takes_every_index_once(plan: Plan) -> None:
    for epoch in range(plan.epochs):
        assert sorted(whole_epoch(plan, epoch)) == list(range(len(plan.lengths)))
    assert plan.total_steps == plan.epochs * plan.steps_per_epoch


@settings(deadline=None)
@given(plans())
def test_only_the_last_step_of_an_epoch_may_be_smaller(plan: Plan) -> None:
    sizes = [len(plan.sample(epoch=0, step=step)) for step in range(plan.steps_per_epoch)]
    assert set(sizes[:-1]) <= {plan.sequences_per_step}
    assert 1 <= sizes[-1] <= plan.sequences_per_step


@settings(deadline=None)
@given(plans())
def test_the_order_is_a_pure_function_of_seed_and_epoch(plan: Plan) -> None:
    """Neither an equal plan nor the order of the questions changes the answer."""
    twin = dataclasses.replace(plan)
    last = plan.steps_per_epoch - 1
    backwards = [twin.sample(epoch=e, step=last) for e in reversed(range(plan.epochs))]
    assert [plan.sample(epoch=e, step=last) for e in range(plan.epochs)] == backwards[::-1]


@settings(deadline=None)
@given(plans(), SMALL, st.integers(1, 4))
def test_batch_sizes_do_not_change_the_order(plan: Plan, batch: int, passes: int) -> None:
    other = dataclasses.replace(plan, batch_size=batch, accumulation=passes)
    assert whole_epoch(plan, 0) == whole_epoch(other, 0)


def test_seeds_and_epochs_differ() -> None:
    orders = [
        tuple(whole_epoch(Plan((8,) * 50, 4, 1, 3, seed), epoch))
        for seed in range(10)
        for epoch in range(3)
    ]
    assert len(set(orders)) == len(orders)


@settings(deadline=None)
@given(plans())
def test_batches_of_all_processes_are_the_sample(plan: Plan) -> None:
    for step in range(plan.steps_per_epoch):
        shares = [
            plan.batches(epoch=0, step=step, process=process) for process in range(plan.processes)
        ]
        taken = [index for share in shares for batch in share for index in batch]
        assert Counter(taken) == Counter(plan.sample(epoch=0, step=step))


@settings(deadline=None)
@given(plans())
def test_every_process_gets_equally_many_passes(plan: Plan) -> None:
    for step in range(plan.steps_per_epoch):
        shares = [
            plan.batches(epoch=0, step=step, process=process) for process in range(plan.processes)
        ]
        assert len({len(share) for share in shares}) == 1
        assert len(shares[0]) <= plan.accumulation
        assert all(len(batch) <= plan.batch_size for share in shares for batch in share)
        for passes in zip(*shares, strict=True):
            sizes = [len(batch) for batch in passes]
            assert max(sizes) - min(sizes) <= 1


@settings(deadline=None)
@given(plans())
def test_batches_go_from_short_to_long(plan: Plan) -> None:
    for step in range(plan.steps_per_epoch):
        batches = plan.batches(epoch=0, step=step)
        lengths = [plan.lengths[index] for batch in batches for index in batch]
        assert lengths == sorted(lengths)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 200), st.integers(1, 20))
def test_inference_batches_take_every_index_once(
    lengths: list[int], max_tokens: int, max_sequences: int
) -> None:
    batches = inference_batches(lengths, max_tokens=max_tokens, max_sequences=max_sequences)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 200), st.integers(1, 20))
def test_inference_batches_are_bounded(
    lengths: list[int], max_tokens: int, max_sequences: int
) -> None:
    """Padded to its longest, no batch of two or more has over ``max_tokens``."""
    for batch in inference_batches(lengths, max_tokens=max_tokens, max_sequences=max_sequences):
        assert 1 <= len(batch) <= max_sequences
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= max_tokens


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 200))
def test_inference_batches_are_sorted_and_full(lengths: list[int], max_tokens: int) -> None:
    batches = inference_batches(lengths, max_tokens=max_tokens)
    order = [index for batch in batches for index in batch]
    assert order == sorted(order, key=lambda i: (lengths[i], i))
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] > max_tokens


@pytest.mark.parametrize("max_tokens", [1, 100])
def test_nothing_to_infer_is_no_batch(max_tokens: int) -> None:
    assert inference_batches([], max_tokens=max_tokens) == []


@st.composite
def plans_of_kinds(draw: st.DrawFn) -> Plan:
    plan = draw(plans())
    kinds = draw(
        st.lists(st.integers(0, 4), min_size=len(plan.lengths), max_size=len(plan.lengths))
    )
    return dataclasses.replace(plan, kinds=tuple(kinds), rounds=draw(st.integers(1, 3)))


@settings(deadline=None)
@given(plans_of_kinds())
def test_each_round_takes_every_index_once_and_kinds_stand_together(plan: Plan) -> None:
    size = len(plan.lengths)
    order = whole_epoch(plan, 0)
    assert len(order) == size * plan.rounds
    for start in range(0, len(order), size):
        own = order[start : start + size]
        assert sorted(own) == list(range(size))
        kinds = [plan.kinds[index] for index in own]
        changes = sum(one != other for one, other in pairwise(kinds))
        groups = sum(-(-kinds.count(kind) // GROUP) for kind in set(kinds))
        assert changes < groups


@settings(deadline=None)
@given(plans())
def test_without_kinds_a_round_is_a_permutation_as_ever(plan: Plan) -> None:
    expected = np.random.default_rng([plan.seed, 0]).permutation(len(plan.lengths)).tolist()
    assert whole_epoch(plan, 0) == expected


@settings(deadline=None)
@given(plans(), st.data())
def test_what_is_drawn_as_one_stays_together(plan: Plan, data: st.DataObject) -> None:
    """Every part of what was drawn is in its batch, each Encoded once; batches count the drawn."""
    each = st.lists(st.integers(0, len(plan.lengths) - 1), min_size=1, max_size=3, unique=True)
    parts = tuple(tuple(one) for one in data.draw(st.lists(each, min_size=1, max_size=40)))
    whole = dataclasses.replace(plan, parts=parts, processes=1)
    assert sorted(whole_epoch(whole, 0)) == list(range(len(parts)))
    for step in range(whole.steps_per_epoch):
        drawn = set(whole.sample(epoch=0, step=step))
        for batch in whole.batches(epoch=0, step=step):
            assert len(set(batch)) == len(batch)
            inside = [one for one in drawn if set(parts[one]) <= set(batch)]
            assert set(batch) == {index for one in inside for index in parts[one]}
        batches = whole.batches(epoch=0, step=step)
        assert all(any(set(parts[one]) <= set(batch) for batch in batches) for one in drawn)
    tokens = sum(plan.lengths[index] for one in parts for index in one)
    assert whole.tokens == tokens * plan.epochs
