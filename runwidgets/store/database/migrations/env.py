"""How Alembic runs a step: inside the transaction that the database room opened."""

from alembic import context

from runwidgets.store.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
