"""The memory of an assistant: remember, recall, forget."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from sqlmodel import select

from engrain.errors import InputError
from engrain.memory import catalog, log
from engrain.memory.facts import add_whole, live_facts, try_again
from engrain.memory.forget import Erasure, Selector, forget
from engrain.memory.modules import modules_of
from engrain.memory.recall import Mode, Recall, Recollection
from engrain.memory.router import Router
from engrain.memory.schema import Episode, Fact, FactState, Module, ModuleState, day_of
from engrain.memory.search import Search
from engrain.memory.statements import statements
from engrain.memory.store import Store
from engrain.settings import Settings, load_settings

if TYPE_CHECKING:
    from engrain.memory.bank.bank import Bank
    from engrain.memory.bank.base import BaseModel
    from engrain.memory.embed import Embedder

NOTES = "notes"
"""The session that holds what was given to `remember` outside any conversation."""


class Memory:
    """What is remembered, for any number of owners. Models are loaded when they are first needed."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        base: BaseModel | None = None,
        embedder: Embedder | None = None,
        advance: catalog.Advance = lambda *_: None,
    ) -> None:
        self.settings = settings or load_settings()
        self.store = Store(self.settings.url)
        self.advance = advance
        self._base, self._embedder = base, embedder
        self._loading = threading.RLock()

    @property
    def base(self) -> BaseModel:
        """The memory model, loaded once."""
        with self._loading:
            if self._base is None:
                from engrain.memory.bank.base import BaseModel

                folder = catalog.resolve(self.settings.memory_model, self.settings.cache, self.advance)
                self._base = BaseModel.load(folder.path, folder.name, folder.sha256, halved=self.settings.halved, cache=self.settings.cache)
            return self._base

    @property
    def embedder(self) -> Embedder:
        """The sentence encoder, loaded once."""
        with self._loading:
            if self._embedder is None:
                from engrain.memory.embed import Embedder

                folder = catalog.resolve(self.settings.embed_model, self.settings.cache, self.advance)
                self._embedder = Embedder.load(folder.path, folder.name)
            return self._embedder

    @cached_property
    def bank(self) -> Bank:
        """The modules on the memory model."""
        from engrain.memory.bank.bank import Bank

        return Bank(self.base, self.settings.modules, self.settings.resident_mb)

    @cached_property
    def search(self) -> Search:
        """Facts by text."""
        return Search(self.store, self.embedder)

    @cached_property
    def router(self) -> Router:
        """Questions to modules."""
        return Router(self.store, self.embedder, self.base.sha256, self.settings.threshold)

    def recall(self, query: str, owner: str | None = None, mode: Mode | None = None, *, module: str | None = None) -> Recollection:
        """What the memory holds on a question; see `Recall`. A `module` that is named is asked whatever the router says."""
        recall = Recall(self.store, self.bank, self.search, self.router)
        return recall(query, owner or self.settings.owner, mode or self.settings.mode, module=module)

    def remember(self, text: str, owner: str | None = None, session: str = NOTES) -> list[Fact]:
        """Write a note down at once; returns its facts. Raises InputError for an empty one, or one that is no text."""
        if not text.strip():
            raise InputError("an empty note cannot be remembered; say something")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{text!r} is no text ({error}); write it in UTF-8") from error
        owner = owner or self.settings.owner
        with self.store.write() as db:
            log.close_session(db, owner, session)
            message = log.add_message(db, owner, session, log.Said("user", text.strip()))
            episode = log.close_session(db, owner, session)
            assert episode is not None
            assert episode.id is not None
            found = list(db.exec(select(Fact).where(Fact.owner == owner, Fact.episode_id == episode.id)))
            facts = [f for f in found if f.superseded_by is None]
            if not found and not statements(message.content, message.speaker, day_of(message.said_at)):
                facts = add_whole(db, episode, message)
        return facts

    def forget(self, selector: Selector, owner: str | None = None) -> Erasure:
        """Erase something for good; see `forget.forget`."""
        owner = owner or self.settings.owner
        erasure = forget(self.store, owner, selector, self.settings.modules, self.settings.jobs)
        self._let_go(owner, erasure.modules)
        return erasure

    def _let_go(self, owner: str, modules: Sequence[str]) -> None:
        """Hold nothing in memory of what was erased; what stays is read again when it is asked for."""
        if "bank" in self.__dict__:
            for module_id in modules:
                self.bank.evict(module_id)
        if "search" in self.__dict__:
            self.search.drop(owner)
        if "router" in self.__dict__:
            self.router.drop(owner)
        if self._embedder is not None:
            self._embedder.drop()

    def close(self, session: str | None = None, owner: str | None = None) -> list[Episode]:
        """End a session (None: every session): its open span becomes an episode and its facts are fresh."""
        with self.store.write() as db:
            if session is None:
                return list(log.close_idle(db, owner or self.settings.owner, None))
            episode = log.close_session(db, owner or self.settings.owner, session)
            return [episode] if episode else []

    def retry(self, owner: str | None = None) -> int:
        """Let fresh facts be tried as if for the first time that were refused, or given up; returns how many."""
        with self.store.write() as db:
            return try_again(db, owner or self.settings.owner)

    def close_idle(self, owner: str) -> list[Episode]:
        """End the sessions that have been silent for the settings' `idle` minutes."""
        if not self.settings.idle:
            return []
        with self.store.write() as db:
            return list(log.close_idle(db, owner, timedelta(minutes=self.settings.idle)))

    def facts(self, owner: str | None = None, state: FactState | None = None) -> list[Fact]:
        """An owner's facts, the oldest first."""
        with self.store.read() as db:
            return live_facts(db, owner or self.settings.owner, state)

    def modules(self, owner: str | None = None, *states: ModuleState) -> list[Module]:
        """An owner's modules, the oldest first."""
        with self.store.read() as db:
            return modules_of(db, owner or self.settings.owner, *states)
