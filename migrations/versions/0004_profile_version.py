"""Profiles count their changes, so that what was computed before one is not used after it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("profile", sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
