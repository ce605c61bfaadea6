"""An OpenAI-compatible endpoint: where it is, and how patiently it is asked. What the agent and the teacher share."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from engrain.errors import SettingsError

RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Statuses that may pass."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is and how patiently it is asked."""

    model: str
    url: str
    """Base URL, up to and with `/v1`."""
    key: str = ""
    timeout: float = 60.0
    """Seconds without a byte."""
    retries: int = 3
    """Further tries after a refused connection, a status that may pass or a reply of no use; none once streamed text has come."""
    backoff: float = 0.5
    """Seconds before the first further try; doubled each time, and never less than Retry-After says."""
    patience: float = 30.0
    """Longest wait before a further try, in seconds."""
    tools: bool = True
    """Whether the model can call tools."""
    temperature: float | None = None
    """0 for the likeliest words; None for what the endpoint thinks best."""

    def client(self, transport: httpx.BaseTransport | None = None) -> httpx.Client:
        """Connections to it, with its key and timeout; the caller closes them. Raises SettingsError for a URL or a key that is none."""
        key = self.key.strip()  # as a file holds it, with the end of its line
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise SettingsError("the endpoint's key holds characters that no key has; set it again")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            if httpx.URL(self.url).scheme not in {"http", "https"}:
                raise SettingsError(f"{self.url!r} is no endpoint's URL; write it with http:// or https://, up to and with /v1")
            return httpx.Client(base_url=self.url.rstrip("/") + "/", headers=headers, timeout=self.timeout, transport=transport)
        except httpx.InvalidURL as error:
            raise SettingsError(f"{self.url!r} is no endpoint's URL ({error}); write it as http://localhost:8000/v1") from error

    def wait(self, attempt: int, retry_after: float = 0.0) -> float:
        """Seconds between a failed try (the first is 0) and the next one."""
        doubled: float = self.backoff * 2**attempt
        return min(self.patience, max(doubled, retry_after))


def retry_after(response: httpx.Response) -> float:
    """Seconds that a refusal asks to wait; 0 where it does not say, or names a date."""
    try:
        return float(response.headers.get("retry-after", 0))
    except ValueError:
        return 0.0
