"""Profiles get an identity that is never used twice, as an id may be."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("profile", sa.Column("uid", sa.String(), nullable=False, server_default=""))
    op.execute("UPDATE profile SET uid = lower(hex(randomblob(16)))")
