"""Profiles get preferences; a field that holds one becomes one."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# Limits of a preference at this revision: one beyond them stays a field.
MOST = 20
LONGEST = 1000


def upgrade() -> None:
    op.add_column("profile", sa.Column("preferences", sa.Text(), nullable=False, server_default="[]"))
    connection = op.get_bind()
    moved = sa.text(
        "UPDATE profile SET fields = :fields, preferences = :preferences, version = version + 1"
        " WHERE id = :id"
    )
    for profile_id, stored in connection.execute(sa.text("SELECT id, fields FROM profile")).all():
        fields = json.loads(stored)
        preferences = _taken(fields)
        if preferences:
            values = {"id": profile_id, "fields": _written(fields), "preferences": _written(preferences)}
            connection.execute(moved, values)


def _taken(fields: dict[str, str]) -> list[dict[str, str]]:
    """Takes the preferences out of the fields: `preference`, `Preferences`, `_preference_`."""
    taken: dict[str, dict[str, str]] = {}
    for key, text in list(fields.items()):
        named = key.replace("_", " ").strip().lower() in {"preference", "preferences"}
        if named and text not in taken and len(text) <= LONGEST and len(taken) < MOST:
            taken[text] = {"text": fields.pop(key), "opposite": ""}
    return list(taken.values())


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
