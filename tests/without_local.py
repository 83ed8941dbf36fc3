"""`costeer` where none of the packages of the extra `local` is installed, as a file: several commands, each
with its status and what it printed as a line of JSON; or one, like `serve`, as it is."""

from __future__ import annotations

import io
import json
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from app.local.packages import PACKAGES


class Finder(PathFinder):
    """Finds what lies on sys.path, but for these packages."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in PACKAGES:
            return None
        return super().find_spec(fullname, path, target)


def ran(line: str) -> dict[str, Any]:
    """What became of a command."""
    from app.cli import main

    sys.argv = ["costeer", *shlex.split(line)]
    out, err, status = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ending:
            status = int(ending.code or 0)
        out.flush()
    printed = out.buffer.getvalue().decode()
    return {"line": line, "status": status, "out": printed, "err": err.getvalue()}


sys.meta_path = [Finder if one is PathFinder else one for one in sys.meta_path]
if __name__ == "__main__":
    if sys.argv[1] == "serve":
        from app.cli import main

        main()
    for line in sys.argv[1:]:
        print(json.dumps(ran(line)), flush=True)
