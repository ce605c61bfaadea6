"""The database: opened once, migrated at first use, written in short transactions.

SQLite runs in WAL mode with one writer at a time; a write transaction takes the lock when it begins, so that it waits for
other threads and processes instead of failing half-way. Any other SQLAlchemy URL runs the same code.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlmodel import Session as DbSession

from engrain.errors import StoreError

HEAD = "0002"
"""The newest migration."""
_BUSY_MS = 60_000
_SCRUB_MS = 5_000


def masked(url: str) -> str:
    """A database's URL without its password, however it is written.

    >>> masked("postgresql://ann:secret@db:5432/memory")
    'postgresql://ann:***@db:5432/memory'
    """
    return re.sub(r"(://[^:@/]*):.*@", r"\1:***@", url)


class Store:
    """A database of memories."""

    def __init__(self, url: str) -> None:
        """Open and, where needed, migrate; raises StoreError naming the URL (without its password)."""
        self.url = url
        try:
            self.engine = _engine(url)
            self._migrate()
        except (ArgumentError, NoSuchModuleError, DBAPIError, ImportError, OSError, ValueError) as error:
            raise StoreError(f"the database {masked(url)!r} could not be opened ({error}); check ENGRAIN_DATABASE_URL") from error
        self._writes = self.engine.execution_options(engrain_write=True)

    @contextmanager
    def read(self) -> Iterator[DbSession]:
        """A consistent view; what is loaded stays usable afterwards."""
        with DbSession(self.engine, expire_on_commit=False) as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[DbSession]:
        """One transaction: all of it is kept at the end, or nothing where an exception leaves the block."""
        with DbSession(self._writes, expire_on_commit=False) as db:
            yield db
            db.commit()

    def scrub(self) -> None:
        """Let the journal hold nothing older than the last commit; SQLite zeroes what was deleted in the database itself.

        Waits some seconds for readers; while one holds on longer the journal stays as it is, until the next checkpoint.
        """
        if self.engine.dialect.name != "sqlite":
            return
        connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={_SCRUB_MS}")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            cursor.close()
        finally:
            connection.close()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def _migrate(self) -> None:
        if self._version() == HEAD:
            return
        if self.engine.dialect.name == "sqlite":
            path = self.engine.url.database
            if path and path != ":memory:":
                with FileLock(f"{path}.migrate.lock"):
                    self._upgrade()
                return
        self._upgrade()

    def _upgrade(self) -> None:
        from alembic import command
        from alembic.config import Config

        if self._version() == HEAD:
            return
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(7236412)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self) -> str | None:
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_MS / 1000, "check_same_thread": False})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except Exception as error:  # two first openings race for the switch, and SQLite does not wait here
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("engrain_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def is_conflict(error: Exception) -> bool:
    """Whether a write failed because another worker was there first."""
    return isinstance(error, OperationalError) or "UNIQUE" in str(error).upper() or "duplicate key" in str(error)
