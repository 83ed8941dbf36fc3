"""What a shell completes: ids of profiles, and names of models. It reads, and makes nothing."""

from __future__ import annotations

from app.cli.environment import checked_settings
from app.errors import CoSteerError


def profile_ids(incomplete: str) -> list[str]:
    """The ids of profiles that begin so; none where the settings or the database cannot be read."""
    from app.profiles.store.inspection import profile_ids as stored  # noqa: PLC0415  # SQL, for this alone

    try:
        settings, _ = checked_settings()
        found = stored(settings.data_dir) if settings is not None else []
    except CoSteerError:
        return []
    return [profile for profile in found if profile.startswith(incomplete)]


def models(incomplete: str) -> list[str]:
    """The names of bundles, and of the files that other programs keep, that begin so."""
    from app.local.weights import BUNDLES  # noqa: PLC0415
    from app.local.weights.files.found import names  # noqa: PLC0415

    return [name for name in [*BUNDLES, *names()] if name.startswith(incomplete)]
