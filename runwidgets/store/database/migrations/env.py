"""The environment of Alembic: migrations run in the transaction that `database` opened."""

from alembic import context

from runwidgets.store.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
