"""The database: migrated at first use, nothing lost among writers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel, select

from engrain.errors import StoreError
from engrain.memory import log
from engrain.memory.schema import Job
from engrain.memory.store import HEAD, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/a/b.db")


def test_migrations_build_what_the_tables_say(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_an_older_database_is_brought_up_with_what_is_in_it(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    import engrain.memory.store as module

    url = f"sqlite:///{tmp_path}/old.db"
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text(
            "INSERT INTO job (owner, state, stage, progress, note, attempt, worker, error, seed, fact_ids, result, created_at, updated_at) "
            "VALUES ('me', 'done', 'publish', 0, '', 1, '', '', 7, '[1, 2]', '{}', '2026-01-01', '2026-01-01')"
        ))  # fmt: skip
    with Store(url).read() as db:
        (job,) = db.exec(select(Job)).all()
        assert (job.seed, job.fact_ids, job.replaces, job.level, job.base_sha256) == (7, [1, 2], [], 0, "")


def test_threads_lose_nothing(store: Store) -> None:
    def write(name: int) -> None:
        own = Store(store.url)
        for i in range(20):
            with own.write() as db:
                log.add_message(db, "me", "s", log.Said("user", f"{name}-{i}"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    with store.read() as db:
        found = [m.content for m in log.messages_of(db, "me", "s")]
    assert sorted(found) == sorted(f"{n}-{i}" for n in range(6) for i in range(20))
    for n in range(6):
        mine = [c for c in found if c.startswith(f"{n}-")]
        assert mine == [f"{n}-{i}" for i in range(20)]


def test_a_transaction_is_kept_whole_or_not_at_all(store: Store) -> None:
    def fail() -> None:
        with store.write() as db:
            log.add_message(db, "me", "s", log.Said("user", "half"))
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        fail()
    with store.read() as db:
        assert log.messages_of(db, "me", "s") == []


def test_a_bad_url_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nosuch"):
        Store("nosuch://x")
    with pytest.raises(StoreError) as caught:
        Store("postgresql+nosuch://u:secret@h/d")
    assert "secret" not in str(caught.value)
    for url in ("postgres ql://u:secret@h/d", "postgresql://u:secret@h:port/d"):
        with pytest.raises(StoreError, match="check ENGRAIN_DATABASE_URL") as caught:
            Store(url)
        assert "secret" not in str(caught.value)


def test_owners_do_not_see_each_other(store: Store) -> None:
    with store.write() as db:
        log.add_message(db, "ann", "s", log.Said("user", "My cat is Misha."))
        log.close_session(db, "ann", "s")
    with store.read() as db:
        assert log.messages_of(db, "bob", "s") == []
        assert log.sessions_of(db, "bob") == []
