"""Model weights: bundles with pinned checksums, downloaded once and kept as transformers folders."""

from app.local.weights.bundles import BUNDLES, Bundle
from app.local.weights.cache import Listing, installed, listing, pull
from app.local.weights.errors import (
    ChecksumMismatch,
    ConversionFailed,
    NoSource,
    NotEnoughSpace,
    SourceFailed,
)
from app.local.weights.names import resolve
from app.local.weights.presence import Presence, is_file, presence
from app.local.weights.sources import SILENT, Folder, Progress, Source

__all__ = [
    "BUNDLES",
    "SILENT",
    "Bundle",
    "ChecksumMismatch",
    "ConversionFailed",
    "Folder",
    "Listing",
    "NoSource",
    "NotEnoughSpace",
    "Presence",
    "Progress",
    "Source",
    "SourceFailed",
    "installed",
    "is_file",
    "listing",
    "presence",
    "pull",
    "resolve",
]
