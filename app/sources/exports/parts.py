"""Names what is found in a file, so that each name is unique and the same when the file is read again."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from app.profiles.profile import HistoryItem
from app.sources.documents.document import source_of
from app.sources.exports.cleaning import cleaned
from app.sources.found import Found

# Characters of a name as the file has it; of a longer one the hash stands.
MAX_PART = 100


class Parts:
    """The names given so far in one file. The file's own name is the items' source."""

    def __init__(self, path: Path) -> None:
        self._source = source_of(path)
        self._seen: dict[str, int] = {}

    def found(self, item: HistoryItem, name: str) -> Found:
        """The item as the part of the file that is called so."""
        return Found(replace(item, source=self._source), self.unique(name))

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
