"""Named tensors and a text in one safetensors file, with a hash that is checked when they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.weights.metadata import HASH, KEY, say_it_has_no_hash

MOST_BYTES, MOST_TENSORS = 8 << 30, 200_000
"""Size of the largest file that is read: a checkpoint has each weight four times."""


def write(path: Path, tensors: Mapping[str, torch.Tensor], text: str) -> None:
    """Write tensors, text and their hash, whole or not at all; the same content always gives the same bytes."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with files.replacing(path) as temporary:
        save_file(state, temporary, metadata={KEY: text, HASH: digest(state, text)})
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """Sort the metadata in a file's header: safetensors 0.8 writes them in an order that changes from call to call."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        file.seek(8)
        file.write(json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode().ljust(length))


def read(path: Path, what: str, remedy: str) -> tuple[dict[str, torch.Tensor], str]:
    """Read the tensors and the text of a file; those of earlier versions have no hash to check, which is said.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it should be, for messages.
    remedy : str
        What to do if it is not, for messages.

    Raises
    ------
    BadInput
        If it is missing or damaged, or has no text.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such {what}; check the name, or {remedy}")
    if path.stat().st_size > MOST_BYTES:
        raise BadInput(f"{path}: this has more than {MOST_BYTES >> 30} GiB, which is too much for a {what}; {remedy}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            names = file.keys()
            if len(names) > MOST_TENSORS:
                raise BadInput(f"{path}: this has {len(names):,} tensors, which is too many for a {what}; {remedy}")
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"{path}: this is not a {what}, or a damaged one ({why}); {remedy}") from None
    if KEY not in header:
        raise BadInput(f"{path}: this safetensors file does not describe an ECG model; use one that training wrote")
    if header.keys() - {KEY, HASH} or header.get(HASH, same := digest(tensors, header[KEY])) != same:
        raise BadInput(f"{path}: this is damaged: it is not what was written, as its hash tells; {remedy}")
    if HASH not in header:
        say_it_has_no_hash(path)
    return tensors, header[KEY]


def digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    """SHA-256 of the text and of each tensor's name, type, shape and values, in the order of the names."""
    total = hashlib.sha256(f"{len(text)} {text}\n".encode())
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
