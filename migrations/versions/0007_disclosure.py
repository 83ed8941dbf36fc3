"""Profiles and history items say how much of them a reply may tell the remote."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("profile", sa.Column("disclosure", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("history", sa.Column("disclosure", sa.Text(), nullable=False, server_default="open"))
