"""One line about a reply: how much of it was steered, and what else was done."""

from __future__ import annotations

from app.cli.chat.reply import Reply
from app.cli.terminal import counted


def summary(reply: Reply) -> str:
    """For people, without what the reply says."""
    totals = reply.totals
    parts = ["stopped"] if reply.stopped else []
    if totals.get("steered"):
        parts.append(f"{counted(totals['tokens'], 'token')}, {totals['changed']:,} changed")
        disclosed = totals.get("disclosed", {})
        parts += [f"{disclosed[key]:,} {words}" for key, words in TOLD.items() if disclosed.get(key)]
        parts += [f"from some token on unsteered: {totals['mishap']}"] if totals.get("mishap") else []
    elif not reply.stopped:
        parts.append(f"not steered{f': {reply.reason}' if reply.reason else ''}")
    parts += ["cut at the limit of tokens"] if reply.finish_reason == "length" else []
    return "; ".join(parts)


TOLD = {"held": "held back", "filled": "written in on this device"}
