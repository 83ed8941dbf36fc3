"""The errors of downloading and converting model weights.

WeightsError (app.errors)
├── SourceFailed          one source of a bundle has nothing usable; the next one is tried
│   └── ChecksumMismatch  a file is not the one that the bundle pins
├── NoSource              every source failed; lists them
├── NotEnoughSpace        the disk is, or would get, full
└── ConversionFailed      the GGUF file is intact, but could not be converted
"""

from __future__ import annotations

from app.errors import WeightsError


class SourceFailed(WeightsError):
    pass


class ChecksumMismatch(SourceFailed):
    code = "weights_checksum_mismatch"


class NoSource(WeightsError):
    code = "weights_unavailable"


class NotEnoughSpace(WeightsError):
    code = "not_enough_space"


class ConversionFailed(WeightsError):
    code = "weights_conversion_failed"
