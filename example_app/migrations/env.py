"""Runs the migrations on the app's own engine, with the tables that its models declare."""

from alembic import context
from flask import current_app

extension = current_app.extensions["migrate"]
sqlalchemy = extension.db


def run_offline() -> None:
    """Print the SQL instead of running it: ``flask db upgrade --sql``."""
    context.configure(
        url=sqlalchemy.engine.url, target_metadata=sqlalchemy.metadata, literal_binds=True, **extension.configure_args
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run on the database."""
    with sqlalchemy.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=sqlalchemy.metadata, **extension.configure_args)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
