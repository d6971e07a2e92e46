"""What every architecture is: raw signals -> logits, trained in phases, found by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, Field
from torch import Tensor, nn


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("must be odd, so that both sides are padded by as much")
    return size


OddSize = Annotated[int, Field(ge=1), AfterValidator(_odd)]
Positive = Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True)
class Phase:
    """A stretch of training that starts from the best weights of the one before.

    Attributes
    ----------
    epochs : int
        Most epochs, unless the model file says otherwise.
    rate : float
        Factor of the learning rate.
    frozen : tuple of str
        Parts of the network that stay exactly as they are, their batch statistics too.
    unused : tuple of str
        Parts that do not compute in this phase, and so do not learn either.
    """

    epochs: int
    rate: float = 1.0
    frozen: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


class Network(nn.Module):
    """Base of all architectures.

    A subclass names its `Parameters` (a pydantic model of the keys below `model_parameters`) and its
    `phases`, and is built from a model file, the sampling rate in Hz and the number of classes.
    `forward` takes signals in mV, shape (batch, samples), zero-padded at the end, and their lengths in
    samples, shape (batch,), on the CPU; it returns logits, shape (batch, classes). In evaluation mode a
    signal's logits must not depend on its padding or on the rest of the batch.
    """

    Parameters: ClassVar[type[BaseModel]]
    phases: ClassVar[tuple[Phase, ...]]
    takes_spectrogram: ClassVar[bool] = True
    """False: the architecture sees the signal itself, and `preprocessing.spectrogram` must be false."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = 0

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits of each signal."""
        raise NotImplementedError

    def enter_phase(self, phase: int) -> None:
        """Make the network compute and learn as phase number `phase` wants it."""
        self.phase = phase
        self.requires_grad_(True)
        for name in self.phases[phase].frozen + self.phases[phase].unused:
            self.get_submodule(name).requires_grad_(False)

    def train(self, mode: bool = True) -> Network:
        """Switch between training and evaluation; frozen parts stay in evaluation mode."""
        super().train(mode)
        for name in self.phases[self.phase].frozen:
            self.get_submodule(name).eval()
        return self


ARCHITECTURES: dict[str, type[Network]] = {}
"""Name in `model_name` -> architecture; filled by `register`."""


def register(name: str) -> Callable[[type[Network]], type[Network]]:
    """Make an architecture known by the name model files call it."""

    def enter(architecture: type[Network]) -> type[Network]:
        ARCHITECTURES[name] = architecture
        return architecture

    return enter
