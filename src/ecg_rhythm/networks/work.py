"""A limit of how much a network may compute for its signals: counted layer by layer, before each computes."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.utils.rnn import PackedSequence

from ecg_rhythm.errors import BadInput

MOST_MULTIPLICATIONS = 20e9
"""For a second of signal: ninety times those of the paper's CNN. Half a minute then takes some minutes of a core."""
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says of an allocation that failed."""


@contextmanager
def limited(what: str, seconds: float) -> Iterator[None]:
    """Refuse a network as soon as its layers would need more than it may for some seconds of signal, or more memory.

    Raises
    ------
    BadInput
        If it does; `what` is what the message calls it.
    """
    done, own = 0.0, threading.get_ident()

    def count(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal done
        if threading.get_ident() != own:  # another thread's network
            return
        done += multiplications(module, inputs[0]) if inputs else 0
        if done > MOST_MULTIPLICATIONS * seconds:
            raise BadInput(
                f"{what} would need more than {MOST_MULTIPLICATIONS / 1e9:g} billion multiplications for each second "
                "of signal; make it smaller"
            )

    hook = register_module_forward_pre_hook(count)
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
            raise BadInput(f"{what} needs more memory than there is; make it smaller") from None
        raise
    finally:
        hook.remove()


def multiplications(module: nn.Module, x: Any) -> float:
    """How many a layer needs for an input; 0 for what is neither a convolution, a matrix product nor recurrent."""
    if isinstance(module, nn.Conv1d | nn.Conv2d) and isinstance(x, Tensor):
        positions = x.numel() / x.shape[1] / math.prod(module.stride)
        return positions * module.weight.numel()
    if isinstance(module, nn.Linear) and isinstance(x, Tensor):
        return x.numel() / module.in_features * module.weight.numel()
    if isinstance(module, nn.RNNBase):
        numbers = x.data.numel() if isinstance(x, Tensor | PackedSequence) else 0
        return numbers / module.input_size * sum(weight.numel() for weight in module.parameters())
    return 0.0
