"""History items say by a hash what is in them and where they were read; folders are remembered."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# Items changed at a time: until a statement ends, SQLite keeps in memory what stood there before.
BATCH = 100


def upgrade() -> None:
    for name in ("hash", "origin", "part", "read_hash"):
        op.add_column("history", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    _hash_all(op.get_bind())
    op.create_index("history_hash", "history", ["profile_id", "hash"])
    op.create_index("history_origin", "history", ["profile_id", "origin", "part"])
    op.create_table(
        "source_root",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.String(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("me", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("source_root_path", "source_root", ["profile_id", "path"], unique=True)


def _hash_all(connection: sa.Connection) -> None:
    driver = connection.connection.driver_connection
    driver.create_function("content_hash", 4, _hash, deterministic=True)  # type: ignore[union-attr]
    following = sa.text(
        "SELECT max(id) FROM (SELECT id FROM history WHERE id > :last ORDER BY id LIMIT :batch)"
    )
    update = sa.text(
        "UPDATE history SET hash = content_hash(kind, title, request, text) WHERE id > :last AND id <= :end"
    )
    last = 0
    while end := connection.execute(following, {"last": last, "batch": BATCH}).scalar_one():
        connection.execute(update, {"last": last, "end": end})
        last = end


def _hash(kind: str, title: str, request: str, text: str) -> str:
    content = json.dumps([kind, title, request, text], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()
