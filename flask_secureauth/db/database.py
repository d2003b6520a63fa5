"""Reads and transactions on the app's own SQLAlchemy."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from threading import local
from typing import Any, TypeGuard, TypeVar

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import Connection, Delete, Executable, Row, Update, insert
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import AuthError, DatabaseUnavailable
from ..events import Event, Events

logger = logging.getLogger("flask_secureauth")
T = TypeVar("T")

_TRIES = 3
_LONGEST_PAUSE = 0.05
_CONFLICTS = frozenset((1020, 1205, 1213))
"""MySQL: record has changed since last read, lock wait timeout, deadlock."""
_CONFLICT_STATES = frozenset(("40001", "40P01"))
"""PostgreSQL: serialization failure, deadlock."""
_PENDING = "flask_secureauth.after_commit"
_ROWS = "flask_secureauth.insert_at_commit"
_NO_OUTAGE = frozenset((1054, 1146, 1267, 1270, 1271, 1364))
"""MySQL: unknown column or table, texts that cannot be compared, no default value. The database is up."""


class TransactionConflict(DatabaseUnavailable):
    """Another transaction got in the way of this one, which was undone and may be tried again."""


class Database:
    """The one place that reads, commits and rolls back."""

    def __init__(self, sqlalchemy: SQLAlchemy, user_model: type[Any], events: Events) -> None:
        self._sqlalchemy = sqlalchemy
        self._bind_key = user_model.metadata.info.get("bind_key")
        self._mapper = user_model
        self._events = events
        self._thread = local()

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
            if _is_routed(session) or self.is_in_transaction:
                return session.execute(statement, parameters).all()
            with self._sqlalchemy.engines[self._bind_key].connect() as connection:
                return connection.execute(statement, parameters).all()

    def write_apart(self, free: Executable, statement: Executable, parameters: Mapping[str, Any]) -> None:
        """Run ``statement`` in a transaction of its own, if that can be done at once; nothing depends on it.

        ``free`` selects the row with SKIP LOCKED: if somebody holds it, nothing is written. SQLite has no such lock.
        """
        session = self._sqlalchemy.session
        if _is_routed(session) or self.is_in_transaction:
            return
        try:
            with self._sqlalchemy.engines[self._bind_key].begin() as connection:
                if connection.execute(free, parameters).first():
                    connection.execute(statement, parameters)
        except (DBAPIError, PoolTimeout) as error:
            logger.warning("A write that nothing depends on failed: %s", getattr(error, "orig", error))

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        """Give a connection with a transaction of its own, committed at the end, whatever becomes of the request's.

        Inside of another ``apart`` it is that one. In a session that the app routes itself (a test's outer
        transaction) it is the session's own connection, and on SQLite, too, when the request has begun a
        transaction: SQLite has one writer, who would wait for himself.
        Raises :exc:`~flask_secureauth.errors.DatabaseUnavailable`, :exc:`TransactionConflict`.
        """
        if self._connection is not None:
            yield self._connection
            return
        with available(), self._begin() as connection:
            self._thread.connection = connection
            try:
                yield connection
            finally:
                self._thread.connection = None

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        session, engine = self._sqlalchemy.session, self._sqlalchemy.engines[self._bind_key]
        if _is_routed(session) or (engine.dialect.name == "sqlite" and self.is_in_transaction):
            yield session.connection(bind_arguments={"mapper": self._mapper})
            return
        with engine.begin() as connection:
            yield connection

    @property
    def _connection(self) -> Connection | None:
        """That of the :meth:`apart` which is open in this thread."""
        return getattr(self._thread, "connection", None)

    @property
    def is_in_transaction(self) -> bool:
        """Whether the request has begun a transaction."""
        session = self._sqlalchemy.session
        return bool(session.registry.has() and session().in_transaction())

    def change(self, statement: Update | Delete) -> int:
        """Run ``statement`` in the request's transaction; return how many rows met its conditions.

        Objects of the app's session that are loaded keep what they say.
        """
        return int(self.session.execute(statement.execution_options(synchronize_session=False)).rowcount)

    def execute(self, statement: Executable, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Run ``statement`` with each of ``parameters`` in turn.

        That is in the transaction that is under way, that of :meth:`apart` or the request's, or else in one of its own.
        """
        if self._connection is None and self.is_in_transaction:
            self.session.execute(statement, parameters)
            return
        with self.apart() as connection:
            connection.execute(statement, parameters)

    def run_apart(self, unit: Callable[[], T]) -> T:
        """Run ``unit`` in a transaction :meth:`apart`; again when another one got in its way, three times at most."""
        return self._try(self.apart, unit)

    def run(self, unit: Callable[[], T]) -> T:
        """Run ``unit`` in a transaction; again when another one got in its way, three times at most.

        Raises :exc:`TransactionConflict` after that.
        """
        return self._try(self.transaction, unit)

    def _try(self, transaction: Callable[[], AbstractContextManager[Any]], unit: Callable[[], T]) -> T:
        for _ in range(_TRIES - 1):
            try:
                with transaction():
                    return unit()
            except TransactionConflict:
                # Two that met must not meet again at once.
                time.sleep(secrets.SystemRandom().uniform(0, _LONGEST_PAUSE))
        with transaction():
            return unit()

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
                self.undo()
            else:
                self._commit()
            raise
        except BaseException:
            self.undo()
            raise
        self._commit()

    def undo(self) -> None:
        """Take back what the transaction has done and announced so far."""
        self.session.info.pop(_PENDING, None)
        self.session.info.pop(_ROWS, None)
        self.session.rollback()

    def announce(self, event: Event) -> None:
        """Run the handlers of ``event`` now; its signal is sent after the commit."""
        self._events.handle(event)
        self.after_commit(partial(self._events.send, event))

    def insert_at_commit(self, model: type[Any], rows: Iterable[Mapping[str, Any]]) -> None:
        """Have ``rows`` inserted last of all in the transaction, with those of before in one statement.

        For what only writes down what happened: it holds no connection and no lock while passwords are hashed.
        """
        self.session.info.setdefault(_ROWS, {}).setdefault(model, []).extend(rows)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have ``call`` run once the transaction is committed, and never if it is undone. It must not raise."""
        self.session.info.setdefault(_PENDING, []).append(call)

    def announce_at_once(self, event: Event) -> None:
        """Announce and commit, unless a transaction is going on, whose end ``event`` then shares.

        For what is true whatever becomes of the request, and told before long work that must hold no connection.
        """
        if self.is_in_transaction:
            self.announce(event)
            return
        with self.transaction():
            self.announce(event)

    def _commit(self) -> None:
        with available():
            try:
                for model, rows in self.session.info.pop(_ROWS, {}).items():
                    self.session.execute(insert(model), rows)
                self.session.commit()
            except BaseException:
                self.undo()
                raise
        for call in self.session.info.pop(_PENDING, ()):
            call()


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
        if _is_conflict(error):
            logger.info("A transaction was undone: %s", error.orig)
            raise TransactionConflict from error
        if not _is_down(error):
            raise
        logger.error("The database is unavailable: %s", getattr(error, "orig", error))
        raise DatabaseUnavailable from error


def _is_conflict(error: DBAPIError | PoolTimeout) -> TypeGuard[DBAPIError]:
    if not isinstance(error, DBAPIError):
        return False
    # psycopg says sqlstate, psycopg2 pgcode.
    states = {getattr(error.orig, name, None) for name in ("sqlstate", "pgcode")}
    return mysql_code(error) in _CONFLICTS or not _CONFLICT_STATES.isdisjoint(states)


def _is_down(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, (PoolTimeout, InterfaceError)) or error.connection_invalidated:
        return True
    is_sqlite_schema = str(error.orig).startswith("no such")
    return isinstance(error, OperationalError) and not is_sqlite_schema and mysql_code(error) not in _NO_OUTAGE


def mysql_code(error: DBAPIError) -> object:
    """Return the number that MySQL gives to an error; something else for other databases."""
    return error.orig.args[0] if error.orig and error.orig.args else None
