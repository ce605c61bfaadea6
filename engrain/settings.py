"""Settings: environment variables that begin with ENGRAIN_, or arguments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from engrain.errors import SettingsError


def _under(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "engrain"


class Settings(BaseSettings):
    """Where things are and how they behave; immutable."""

    model_config = SettingsConfigDict(env_prefix="ENGRAIN_", frozen=True, extra="forbid")

    home: Path = Field(default_factory=lambda: _under("XDG_DATA_HOME", ".local/share"))
    """Database, modules and job files."""
    cache: Path = Field(default_factory=lambda: _under("XDG_CACHE_HOME", ".cache"))
    """Converted models; can be deleted at any time."""
    database_url: str = ""
    """A SQLAlchemy URL; empty for SQLite in `home`."""
    owner: str = Field(default="me", min_length=1, max_length=200)
    """Whose memory is meant when none is named."""

    memory_model: str = "smollm2-135m"
    """The base model that modules are trained on: an alias, a hub id or a folder."""
    embed_model: str = "minilm"
    """The sentence encoder: an alias, a hub id or a folder."""
    chat_model: str = ""
    """Who talks: empty for the memory model itself, a local model's name, or `openai:NAME` for an endpoint."""
    chat_url: str = "http://127.0.0.1:8000/v1"
    """Base URL of the OpenAI-compatible endpoint."""
    chat_key: SecretStr = SecretStr("")
    """Its key."""
    chat_timeout: float = Field(default=60.0, gt=0)
    """Seconds without a byte after which the endpoint is given up."""
    context_tokens: int = Field(default=2048, ge=256)
    """Token budget of a turn's whole context."""
    reply_tokens: int = Field(default=160, ge=1)
    """Longest reply."""
    recall: Literal["auto", "tool", "both", "off"] = "auto"
    """Who asks the memory in a turn: the framework, the model, both, nobody."""
    mode: Literal["weights", "text", "hybrid"] = "hybrid"
    """What a recall may use."""
    threshold: float = Field(default=0.35, ge=0, le=1)
    """Least nearness of a question to a module's probes and their facts at which the module is asked."""

    halved: bool = True
    """Generate with the memory model's weights rounded to float16, where the processor can: faster, for half as much memory
    again (`engrain bench read`). Training is in float32 either way."""
    resident_mb: float = Field(default=512.0, gt=0)
    """Megabytes that modules may take in memory; the least recently used give way."""

    facts_per_module: int = Field(default=24, ge=1)
    """Most facts the planner puts into one module."""
    module_tokens: int = Field(default=1248, ge=1)
    """Most tokens of facts that it puts there: the largest load that `engrain bench capacity` has tried on the default base model,
    and it fits (`evals/bench/results/capacity.json`). Measure another base model with the same command."""
    fan_in: int = Field(default=4, ge=1)
    """Most modules on a level; beyond that the oldest are compacted, as many as `module_tokens` lets."""
    seed: int = 0
    """Of distilling and training."""
    distiller: Literal["self", "cues", "teacher"] = "self"
    """Who writes the questions a module is trained on: the base model and the grammar, the grammar alone, or a model behind an endpoint."""
    teacher_model: str = Field(default="", validate_default=True)
    """The teacher's name at its endpoint. It is sent every fact that is consolidated."""
    teacher_url: str = "http://127.0.0.1:8000/v1"
    """Base URL of its OpenAI-compatible endpoint."""
    teacher_key: SecretStr = SecretStr("")
    """Its key."""
    teacher_timeout: float = Field(default=300.0, gt=0)
    """Seconds without a byte after which it is given up: nothing comes before it has written all questions of a fact."""
    teacher_tokens: int = Field(default=200_000, ge=1)
    """Most tokens, prompts and replies, that the teacher may cost for one module."""
    recipe: dict[str, Any] = Field(default_factory=dict)
    """Hyperparameters that differ from `Recipe`'s, as JSON: `{"rank": 8, "epochs": 20}`."""
    gate: dict[str, float] = Field(default_factory=dict)
    """Bounds that differ from `Thresholds`', as JSON: `{"perplexity": 1.05}`."""
    attempts: int = Field(default=3, ge=1)
    """How often a job is begun, crashes included, and how often a fact may be in a rejected module."""
    lease: float = Field(default=60.0, gt=1)
    """Seconds after its last heartbeat at which a job's worker counts as dead."""
    threads: int = Field(default=0, ge=0)
    """Threads of a consolidation worker; 0 for all that the process may use."""
    nice: int = Field(default=10, ge=0, le=19)
    """How far a consolidation worker lowers its priority; above 0 it also waits for whatever else wants the processor (Linux: SCHED_IDLE)."""

    every: float = Field(default=0.0, ge=0)
    """Daemon: consolidate every so many minutes; 0 for never."""
    cron: str = ""
    """Daemon: consolidate at these times of this machine's clock (`30 3 * * *`)."""
    backlog: int = Field(default=400, ge=0)
    """Daemon: consolidate once so many tokens of facts are fresh; 0 for never."""
    idle: float = Field(default=30.0, ge=0)
    """Minutes without a message after which a session counts as ended; its facts are then fresh. 0 for never."""
    poll: float = Field(default=10.0, gt=0)
    """Daemon: seconds between looks at the backlog."""

    @field_validator("teacher_model")
    @classmethod
    def _named(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("distiller") == "teacher" and not value:
            raise ValueError("distiller 'teacher' needs the name of a model")
        return value

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.home / 'engrain.db'}"

    @property
    def modules(self) -> Path:
        """Folder of the published modules."""
        return self.home / "modules"

    @property
    def jobs(self) -> Path:
        """Folder of the unfinished work of consolidation jobs."""
        return self.home / "jobs"


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with overrides (None is no override); raises SettingsError."""
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise SettingsError(
            f"setting {name!r} = {first['input']!r}: {first['msg']}; set ENGRAIN_{str(first['loc'][0]).upper()} to another value"
        ) from error
    except SourceError as error:
        raise SettingsError(f"{error}; write it as JSON") from error
