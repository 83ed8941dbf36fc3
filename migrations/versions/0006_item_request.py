"""History items say what they answer; of a turn that is its question, which stood in the text before."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# Turns read at a time: a history may be larger than the memory.
BATCH = 1000
LONGEST = 100_000


def upgrade() -> None:
    op.add_column("history", sa.Column("request", sa.Text(), nullable=False, server_default=""))
    connection = op.get_bind()
    turns = sa.text(
        "SELECT id, text FROM history WHERE kind = 'turn' AND id > :last ORDER BY id LIMIT :batch"
    )
    update = sa.text("UPDATE history SET request = :request, text = :text WHERE id = :id")
    last = 0
    while rows := connection.execute(turns, {"last": last, "batch": BATCH}).all():
        if changes := [change for item_id, text in rows for change in _split(item_id, text)]:
            connection.execute(update, changes)
        last = rows[-1][0]


def _split(item_id: int, text: str) -> list[dict[str, object]]:
    """The row's change, if its text has both sides of an exchange, the reply not blank and the question not
    too long."""
    head, found, reply = text.partition("\n\nAssistant: ")
    question = head.removeprefix("User: ")
    if not found or not head.startswith("User: ") or not reply.strip() or len(question) > LONGEST:
        return []
    return [{"id": item_id, "request": question, "text": reply}]
