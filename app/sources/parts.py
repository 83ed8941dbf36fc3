"""Names the parts of a file so that each name is unique and the same when the file is read again."""

from __future__ import annotations

from hashlib import sha256

from app.sources.cleaning import cleaned

# Characters of a name as the file has it; of a longer one the hash stands.
MAX_PART = 100


class Parts:
    """The names given so far in one file."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """The name, with a number behind it where it was given before."""
        name = cleaned(name) or "unnamed"
        if len(name) > MAX_PART:
            name = digest(name)
        count = self._seen.get(name, 0) + 1
        part = name if count == 1 else f"{name}#{count}"
        while count > 1 and part in self._seen:
            count += 1
            part = f"{name}#{count}"
        self._seen[name] = count
        self._seen.setdefault(part, 1)
        return part


def digest(*texts: str) -> str:
    """A name made of the content: 16 hexadecimal digits."""
    return sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:16]
