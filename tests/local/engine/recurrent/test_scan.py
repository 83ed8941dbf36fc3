"""What tokens read of a state, by its definition: token after token, in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch

from app.local.engine.recurrent.layer_state import LayerState
from app.local.engine.recurrent.plan import CHUNK, LAG, MOST_ROWS, Plan
from app.local.engine.recurrent.scan import Steps, scan

GROUPS, HEADS, KEY, VALUE = 2, 6, 5, 7
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def steps_of(count: int, delta: bool) -> Steps:
    key = torch.randn(count, GROUPS, KEY, dtype=torch.float64)
    return Steps(
        torch.randn(count, GROUPS, KEY, dtype=torch.float64),
        key / key.norm(dim=-1, keepdim=True),
        torch.randn(count, HEADS, VALUE, dtype=torch.float64),
        -torch.rand(count, HEADS, dtype=torch.float64),
        torch.rand(count, HEADS, dtype=torch.float64) if delta else None,
    )


def joined(*steps: Steps) -> Steps:
    strengths = [one.strength for one in steps if one.strength is not None]
    return Steps(
        torch.cat([one.query for one in steps]),
        torch.cat([one.key for one in steps]),
        torch.cat([one.value for one in steps]),
        torch.cat([one.decay for one in steps]),
        torch.cat(strengths) if strengths else None,
    )


def by_definition(steps: Steps) -> torch.Tensor:
    state, read = torch.zeros(HEADS, KEY, VALUE, dtype=torch.float64), []
    for at in range(len(steps.decay)):
        query, key = (one[at].repeat_interleave(HEADS // GROUPS, 0) for one in (steps.query, steps.key))
        state = state * steps.decay[at].exp()[:, None, None]
        value = steps.value[at]
        if steps.strength is not None:
            value = steps.strength[at][:, None] * (value - torch.einsum("hkv,hk->hv", state, key))
        state = state + key[:, :, None] * value[:, None]
        read.append(torch.einsum("hkv,hk->hv", state, query))
    return torch.stack(read)


def passed(
    layer: LayerState, start: int, held: int, steps: Steps, *, since: int, branches: Sequence[range] = ()
) -> tuple[torch.Tensor, int]:
    """One pass over tokens of a sequence, then of branches; what they read, and where the state is then."""
    path = len(steps.decay) - sum(map(len, branches))
    plan = Plan(start, held, [range(held, held + path), *branches], since, CPU)
    return scan(layer, plan, steps), plan.base


@pytest.mark.parametrize("delta", [False, True])
def test_passes_of_all_sizes_read_what_token_after_token_does(delta: bool) -> None:
    layer, start, held = LayerState(), 0, 0
    steps = steps_of(3 * CHUNK + 126, delta)
    wanted, got = by_definition(steps), []
    for count in (1, 3, 30, 2 * CHUNK + 5, 1, 40, 8, 1, 1, 100):
        rows, start = passed(layer, start, held, steps.part(held, held + count), since=held + count - 1)
        got.append(rows)
        held += count
        assert len(layer.decays) == held - start
    assert held - start <= MOST_ROWS + LAG
    torch.testing.assert_close(torch.cat(got), wanted[:held], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("delta", [False, True])
@pytest.mark.parametrize("prompt", [5, 200])
def test_a_rollback_into_the_rows_and_branches_from_them_read_as_if_nothing_else_had_been(
    prompt: int, delta: bool
) -> None:
    layer, draft = LayerState(), 20
    steps = steps_of(prompt + draft, delta)
    _, start = passed(layer, 0, 0, steps, since=prompt)
    for length in range(prompt, prompt + draft, 3):  # ever longer prefixes of the draft were right
        kept, new, branch = steps.part(0, length), steps_of(2, delta), steps_of(3, delta)
        other = LayerState(layer.state)
        other.append(*(rows.all[: length - start] for rows in (layer.decays, layer.keys, layer.values)))
        leaves = length + 1
        got, _ = passed(
            other,
            start,
            length,
            joined(new, branch),
            since=length + 2,
            branches=[range(leaves, leaves + 3)],
        )
        torch.testing.assert_close(got[:2], by_definition(joined(kept, new))[-2:])
        torch.testing.assert_close(got[2:], by_definition(joined(kept, new.part(0, 1), branch))[-3:])


def test_a_branch_that_leaves_before_the_state_is_an_error() -> None:
    with pytest.raises(ValueError, match="before its state"):
        Plan(10, 20, [range(20, 22), range(9, 11)], 22, CPU)
