"""The packages of the extra `local`, which a model in this process takes and servers in its place do not."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from app.errors import NotInstalled

PACKAGES = ("accelerate", "gguf", "onnx", "onnxruntime", "torch", "transformers")
# Without its version and the index for processors, pip may fetch gigabytes of CUDA libraries.
TORCH = "pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"


def absent(names: Sequence[str] = PACKAGES) -> list[str]:
    """Those of the names that cannot be imported, since nothing of that name is installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def command(extra: str, names: Sequence[str]) -> str:
    """What installs an extra of which these packages are absent."""
    install = f'pip install "costeer[{extra}]"'
    return f"{TORCH} && {install}" if "torch" in names else install


def require() -> None:
    """Raises NotInstalled with what to install, if one of the packages is absent."""
    if names := absent():
        raise NotInstalled(
            f"A model that is computed or converted here takes packages that are not installed ("
            f"{', '.join(names)}): {command('local', names)}. Without them both models are on servers: set "
            "COSTEER_LOCAL_BASE_URL and COSTEER_REMOTE_BASE_URL."
        )
