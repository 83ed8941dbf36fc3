"""Secrets of API keys are long, random and told apart; a key without its secret shows none."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from app.profiles.store.keys import PREFIX, Key, hashed, new_secret


def test_secrets_are_different_marked_and_safe_in_a_header() -> None:
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    # 43 characters of 6 bits hold 256 bits.
    assert all(re.fullmatch(re.escape(PREFIX) + "[A-Za-z0-9_-]{43}", secret) for secret in secrets)


def test_a_hash_is_sha_256_of_the_whole_secret() -> None:
    assert hashed("costeer-abc") == "771983687dc4c0d3e3c1788d467a28579a98f21be37bf545a4d88cea21543978"
    assert hashed("costeer-abd") != hashed("costeer-abc")


def test_a_key_without_a_profile_is_an_admin_key() -> None:
    now = datetime.now(UTC)
    assert Key(1, "", None, now).is_admin
    assert not Key(1, "", "isabel", now).is_admin
