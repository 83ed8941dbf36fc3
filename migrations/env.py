"""What Alembic runs to migrate: on the connection that `Store.open` hands it, inside its transaction."""

from alembic import context
from sqlmodel import SQLModel

import app.profiles.store.tables  # noqa: F401  (fills the metadata)

# No fileConfig here: the application's logging is its own.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
context.run_migrations()
