"""Profiles get a strength and a recording flag, history a kind and a source; API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("profile", sa.Column("strength", sa.Float(), nullable=True))
    op.add_column(
        "profile", sa.Column("record_history", sa.Boolean(), nullable=False, server_default=sa.text("0"))
    )
    # The order of items was a column of its own; from here on it is the order of their ids.
    op.rename_table("history", "history_before")
    op.create_table(
        "history",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("profile_id", sa.String(), sa.ForeignKey("profile.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_history_profile_id", "history", ["profile_id"])
    op.execute(
        "INSERT INTO history (profile_id, kind, title, text, source, created_at) "
        "SELECT profile_id, 'document', title, text, '', created_at FROM history_before "
        "ORDER BY profile_id, position"
    )
    op.drop_table("history_before")
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("hash", sa.String(), nullable=False, unique=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("profile_id", sa.String(), sa.ForeignKey("profile.id", ondelete="CASCADE"), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_key_profile_id", "api_key", ["profile_id"])
