"""Data sets from the hub, where it can be reached: `hub:OWNER/NAME` wherever a folder of data files is asked for."""

from __future__ import annotations

from pathlib import Path

from engrain.errors import InputError

_HUB = "hub:"


def place_of(data: Path | None) -> Path | None:
    """The folder or file that is meant, a data set of the hub fetched first; raises InputError where it cannot be."""
    if data is None or not str(data).startswith(_HUB):
        return data.resolve() if data else None
    from huggingface_hub import snapshot_download

    name = str(data).removeprefix(_HUB)
    try:
        return Path(snapshot_download(name, repo_type="dataset", allow_patterns=["*.jsonl"]))
    except Exception as error:
        raise InputError(
            f"data set {name!r} could not be fetched from the hub ({type(error).__name__}); check its name and the network, or name a folder"
        ) from error
