"""Refused ends the reading of a file; `refusing` makes that, and whatever a parser raises, a LeftOut."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import wraps
from pathlib import Path

from app.sources.found import Found, LeftOut, Person, Reader

NOT_INSTALLED = 'what reads it is not installed: pip install "costeer[sources]"'
DAMAGED = "damaged: it cannot be read as what its name says"


class Refused(Exception):
    """Ends the reading of a file with what is said of it."""

    def __init__(self, reason: str, *, broken: bool = True) -> None:
        super().__init__(reason)
        self.left = LeftOut(reason, broken=broken)


def refusing(reader: Reader) -> Reader:
    """The reader, with Refused and any other mistake but OSError as a LeftOut.

    Parsers raise whatever they come upon in a damaged file (IndexError, RecursionError, errors of zlib), and
    what they say quotes it. A library that is not installed is no damage: ImportError is raised.
    """

    @wraps(reader)
    def read(path: Path, person: Person) -> Iterator[Found | LeftOut]:
        try:
            yield from reader(path, person)
        except Refused as refused:
            yield refused.left
        except ImportError:
            raise
        except OSError as error:
            if error.errno != errno.EINVAL:  # which is a place before the beginning, where damage points
                raise
            yield LeftOut(DAMAGED, broken=True)
        except Exception:
            yield LeftOut(DAMAGED, broken=True)

    return read
