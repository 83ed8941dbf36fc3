"""Alembic migrations, applied by `Store.open`: one readable file per revision, numbered, never edited later.

There is no downgrade: `Store.open` leaves a copy of the database beside it before it upgrades. A migration
runs with foreign keys off, so that rebuilding a table cannot cascade into another one.
"""
