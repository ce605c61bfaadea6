"""Every error engrain raises on purpose.

EngrainError
├── InputError              a value given by the user cannot be used (also a ValueError)
│   ├── SettingsError       a setting or environment variable is wrong
│   ├── IngestError         a file holds bad lines; nothing of it was kept
│   ├── ArchiveError        a file is no exported memory, or a damaged one; nothing of it was taken in
│   └── NotFoundError       the named session, fact, module or job is not there
├── ModelError              a model could not be found, fetched, checked or loaded
│   └── ChecksumError       bytes differ from the sha256 they must have
├── ChatError               a chat model did not answer
│   ├── ChatTimeout         it took too long
│   ├── ChatRefused         the endpoint answered with an error status
│   └── ChatProtocolError   the endpoint answered with something else than the protocol
├── ToolError               a tool was declared or called wrongly
├── StoreError              the database could not be opened, migrated or written
├── ModuleError             a memory module is missing, damaged or made for another base
└── JobError                a consolidation job could not be done
    ├── TeacherError        the teacher that writes questions failed, or would cost too much
    ├── JobBusy             another worker is consolidating this owner
    └── JobInterrupted      the job was asked to stop; it resumes where it was
"""

from __future__ import annotations

from collections.abc import Sequence


class EngrainError(Exception):
    """Something engrain could not do; the message names the value and the remedy."""

    exit_code = 1


class InputError(EngrainError, ValueError):
    """A value given by the user cannot be used."""

    exit_code = 2


class SettingsError(InputError):
    """A setting or environment variable is wrong."""


class IngestError(InputError):
    """A file holds bad lines; nothing of it was kept.

    `problems` lists every one of them as ``line N: what is wrong``.
    """

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        shown = "\n".join(f"  {problem}" for problem in self.problems[:20])
        more = len(self.problems) - 20
        tail = f"\n  and {more} more" if more > 0 else ""
        super().__init__(f"{path!r} was not ingested, nothing of it was kept; mend these lines and try again:\n{shown}{tail}")


class ArchiveError(InputError):
    """A file is no exported memory, or a damaged one; nothing of it was taken in."""


class NotFoundError(InputError):
    """The named session, fact, module or job is not there."""

    exit_code = 4


class ModelError(EngrainError):
    """A model could not be found, fetched, checked or loaded."""

    exit_code = 5


class ChecksumError(ModelError):
    """Bytes differ from the sha256 they must have."""


class ChatError(EngrainError):
    """A chat model did not answer."""

    exit_code = 6


class ChatTimeout(ChatError):
    """The chat model took too long."""


class ChatRefused(ChatError):
    """The chat endpoint answered with an error status."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class ChatProtocolError(ChatError):
    """The chat endpoint answered with something else than the protocol."""


class ToolError(EngrainError):
    """A tool was declared or called wrongly."""


class StoreError(EngrainError):
    """The database could not be opened, migrated or written."""


class ModuleError(EngrainError):
    """A memory module is missing, damaged or made for another base model."""


class JobError(EngrainError):
    """A consolidation job could not be done."""

    exit_code = 7


class TeacherError(JobError):
    """The teacher that writes questions failed, or would cost more than it may."""


class TeacherSpent(TeacherError):
    """The teacher was paid, and what it wrote is of no use, or costs more than it may: for fewer facts it may be enough."""


class JobBusy(JobError):
    """Another worker is consolidating this owner's memory."""

    exit_code = 8


class JobInterrupted(JobError):
    """The job was asked to stop; it resumes where it was."""

    exit_code = 130
