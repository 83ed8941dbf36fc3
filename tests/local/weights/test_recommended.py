"""Recommended pairs: the docs have the same table, bundles exist, and the engine computes each family."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from transformers import CONFIG_MAPPING

from app.local.engine.families import FAMILIES, unsupported_kinds
from app.local.weights import BUNDLES
from app.local.weights.names import named_path
from app.local.weights.recommended import EIGHT_BITS, FLOAT32, RECOMMENDED, Pair, rows

DOCS = Path(__file__).parents[3] / "docs" / "models.md"


def test_the_docs_have_the_same_table() -> None:
    found = re.search(r"<!-- recommended -->\n(.*?)\n<!--", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert found[1].splitlines()[2:] == [f"| {' | '.join(row)} |" for row in rows()]


@pytest.mark.parametrize("pair", RECOMMENDED, ids=lambda pair: pair.local)
def test_each_is_a_bundle_or_a_hub_id_of_a_family_that_is_computed(pair: Pair) -> None:
    if pair.local in BUNDLES:
        assert pair.license == BUNDLES[pair.local].license
        # In two bytes a weight, the folder that the bundle is converted to.
        assert pair.weights * 2 == pytest.approx(BUNDLES[pair.local].converted_size, rel=0.02)
    else:
        assert named_path(pair.local) is None
    assert not unsupported_kinds(CONFIG_MAPPING[pair.model_type]())
    assert pair.bytes_a_weight == (EIGHT_BITS if pair.model_type in FAMILIES else FLOAT32)
