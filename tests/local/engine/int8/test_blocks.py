"""Weights in 8 bits: how far they are from what they stand for."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.local.engine.int8.blocks import BLOCK, dequantised, quantised


def test_an_element_errs_by_at_most_half_a_step_of_its_block() -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 3 * BLOCK) * torch.logspace(-6, 6, 5)[:, None]
    got = dequantised(*quantised(weight), 3 * BLOCK)
    steps = weight.view(5, 3, BLOCK).abs().amax(-1) / 127
    assert ((got - weight).view(5, 3, BLOCK).abs() <= 0.5001 * steps[..., None]).all()


@given(st.integers(1, 3 * BLOCK), st.integers(0, 99))
def test_what_is_read_back_is_written_as_it_was(columns: int, seed: int) -> None:
    weight = torch.randn(4, columns, generator=torch.Generator().manual_seed(seed))
    once = dequantised(*quantised(weight), columns)
    torch.testing.assert_close(dequantised(*quantised(once), columns), once)


def test_a_block_of_zeros_stays_zero() -> None:
    assert not dequantised(*quantised(torch.zeros(2, 40)), 40).any()


def test_a_bfloat16_weight_gives_what_the_same_in_float32_gives() -> None:
    weight = torch.randn(3, 50).bfloat16()
    ours, wide = quantised(weight), quantised(weight.float())
    np.testing.assert_array_equal(ours[0], wide[0])
    np.testing.assert_array_equal(ours[1], wide[1])
