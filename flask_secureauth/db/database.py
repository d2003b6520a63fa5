"""Reads and transactions on the app's own SQLAlchemy."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import Executable, Row
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import AuthError, DatabaseUnavailable
from ..events import Event, Events

logger = logging.getLogger("flask_secureauth")

_PENDING = "flask_secureauth.events"
_NO_OUTAGE = frozenset((1054, 1146, 1267, 1270, 1271, 1364))
"""MySQL: unknown column or table, texts that cannot be compared, no default value. The database is up."""


class Database:
    """The one place that reads, commits and rolls back."""

    def __init__(self, sqlalchemy: SQLAlchemy, user_model: type[Any], events: Events) -> None:
        self._sqlalchemy = sqlalchemy
        self._bind_key = user_model.metadata.info.get("bind_key")
        self._events = events

    @property
    def session(self) -> Any:
        """The app's own SQLAlchemy session of this request."""
        return self._sqlalchemy.session

    def read(self, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """Return all rows as they are now.

        Inside a transaction of this request its own connection answers. Otherwise a connection is
        taken and given back at once: what follows, hashing say, does not keep it from others.
        """
        with available():
            session = self._sqlalchemy.session
            if _is_routed(session) or (session.registry.has() and session().in_transaction()):
                return session.execute(statement, parameters).all()
            with self._sqlalchemy.engines[self._bind_key].connect() as connection:
                return connection.execute(statement, parameters).all()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside, then send the signals of what was announced.

        A refusal commits as well: a counted failure or a revoked session must outlive the 401.
        Anything else that is raised rolls back. So: check first, write after.
        """
        try:
            with available():
                yield
        except AuthError as refusal:
            if isinstance(refusal, DatabaseUnavailable):
                self._roll_back()
            else:
                self._commit()
            raise
        except BaseException:
            self._roll_back()
            raise
        self._commit()

    def announce(self, event: Event) -> None:
        """Run the handlers of ``event`` now; its signal is sent after the commit."""
        self._events.handle(event)
        self.session.info.setdefault(_PENDING, []).append(event)

    def _commit(self) -> None:
        with available():
            try:
                self.session.commit()
            except BaseException:
                self._roll_back()
                raise
        for event in self.session.info.pop(_PENDING, ()):
            self._events.send(event)

    def _roll_back(self) -> None:
        self.session.info.pop(_PENDING, None)
        self.session.rollback()


def _is_routed(session: Any) -> bool:
    """Whether the app chose the session's connection itself: a test's outer transaction, its own routing."""
    factory = getattr(session, "session_factory", None)
    return factory is None or factory.kw.get("bind") is not None or factory.class_.get_bind is not Session.get_bind


@contextmanager
def available() -> Iterator[None]:
    """Turn the errors of a database that does not answer into :exc:`DatabaseUnavailable`."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        if not _is_down(error):
            raise
        logger.error("The database is unavailable: %s", getattr(error, "orig", error))
        raise DatabaseUnavailable from error


def _is_down(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, (PoolTimeout, InterfaceError)) or error.connection_invalidated:
        return True
    is_sqlite_schema = str(error.orig).startswith("no such")
    return isinstance(error, OperationalError) and not is_sqlite_schema and mysql_code(error) not in _NO_OUTAGE


def mysql_code(error: DBAPIError) -> object:
    """Return the number that MySQL gives to an error; something else for other databases."""
    return error.orig.args[0] if error.orig and error.orig.args else None
