"""The base of all architectures: raw signals -> logits, trained in phases, registered by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, Field
from torch import Tensor, nn


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("must be odd, so that both sides get the same padding")
    return size


OddSize = Annotated[int, Field(ge=1, le=4096), AfterValidator(_odd)]
Positive = Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True)
class Phase:
    """A part of training, which starts from the best weights of the phase before.

    Attributes
    ----------
    epochs : int
        Largest number of epochs, unless the model file gives another.
    rate : float
        Factor by which the learning rate is multiplied.
    frozen : tuple of str
        Names of submodules whose weights and batch statistics do not change.
    unused : tuple of str
        Names of submodules that this phase does not compute, so that they do not learn either.
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
        """Compute the logits of each signal, shape (batch, classes)."""
        raise NotImplementedError

    def enter_phase(self, phase: int) -> None:
        """Prepare the network for a phase: which parts compute, which learn."""
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
"""`model_name` of a model file -> architecture; `register` fills it."""


def register(name: str) -> Callable[[type[Network]], type[Network]]:
    """Register an architecture under the name that model files use."""

    def enter(architecture: type[Network]) -> type[Network]:
        ARCHITECTURES[name] = architecture
        return architecture

    return enter
