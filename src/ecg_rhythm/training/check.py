"""What is checked before a network is trained: its model file, and that its answers follow from the signal alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ecg_rhythm import networks
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks.work import limited
from ecg_rhythm.training import augment
from ecg_rhythm.training.heads import SECONDS as HEADS_SEE
from ecg_rhythm.training.heads import WithHeads
from ecg_rhythm.training.optimizer import optimizer_of

SECONDS = (5.0, 8.0)
"""Durations of the two signals of a padded batch: as short as windows may be, and another."""
LEVELS = (0.3, 1.5)
"""Their standard deviations in mV: unlike, so that one shows in the other where a batch is normalised together."""
MOVED = 0.5, 0.02
"""Standard deviations of what is added to new biases, gains and means, and to all other weights."""
RATE, N_CLASSES = 300.0, 4
"""Sampling rate in Hz and classes of a network of which only the layers are looked at."""
CLOSE = 1e-5
"""Largest difference of a probability.

Our architectures differ by at most 1e-7, by rounding: sums over another width are added in another order. The wrong
ones of the tests differ by 6e-5 and more.
"""


def check(model: ModelConfig, source: str = "model") -> None:
    """Refuse a model file that cannot be trained here.

    Raises
    ------
    BadInput
        If its architecture or an augmentation that it names is not installed, or something in it does not fit, such
        as heads or an optimizer for layers that the network does not have.
    """
    networks.check(model, source)
    augment.table(model.data_augmentation, source)
    options = model.training_parameters
    if not options.auxiliary_heads and options.optimizer != "muon":
        return
    with torch.random.fork_rng(devices=[]):
        network = networks.build(model, RATE, N_CLASSES, source)
        if options.auxiliary_heads:
            with limited(f"{source}: {model.model_name}", HEADS_SEE):
                WithHeads(network, RATE, N_CLASSES, source)
    try:
        optimizer_of(network, options)
    except BadInput as error:
        raise BadInput(f"{source}: {error}") from None


def check_padding(model: ModelConfig, fs: float, n_classes: int, source: str = "model") -> None:
    """Refuse an architecture whose answer for a signal depends on its padding or the rest of the batch.

    In the first phase and the last, two signals of noise are classified alone and together, in evaluation mode and
    float32 on the CPU, by new weights. Biases, means of batch norm and some other weights begin at 0, which hides what
    comes of them, so all are moved a little. No random state outside changes.

    Parameters
    ----------
    model : ModelConfig
        Architecture, parameters and preprocessing.
    fs : float
        Sampling rate in Hz.
    n_classes : int
        Number of classes.
    source : str
        What to call the model in messages.

    Raises
    ------
    BadInput
        With the difference that it makes; or if the network would compute for too long.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.default_generator.manual_seed(0)  # not that of GPUs, too
        network = networks.build(model, fs, n_classes, source)
        means = [tensor for name, tensor in network.named_buffers() if name.endswith("running_mean")]
        for tensor in (*network.parameters(), *means):
            tensor.add_(torch.randn_like(tensor), alpha=MOVED[tensor.ndim > 1])
        signals = [level * torch.randn(round(seconds * fs)) for seconds, level in zip(SECONDS, LEVELS, strict=True)]
        for phase in sorted({0, len(network.phases) - 1}):
            network.enter_phase(phase)
            network.eval()
            with limited(f"{source}: {model.model_name}", sum(SECONDS)):
                alone = torch.cat([_logits(network, [signal]) for signal in signals])
            temperature = alone.std().clamp_min(1)  # else a class of probability 1 hides what changes
            one, other = ((logits / temperature).softmax(dim=1) for logits in (alone, _logits(network, signals)))
            if (difference := float((one - other).abs().max())) > CLOSE:
                raise BadInput(
                    f"{source}: {model.model_name} gives a signal other probabilities when it is padded in a batch "
                    f"than alone (by {difference:.1g}); its `forward` must compute each row from the first `lengths` "
                    "samples of that row alone, as the layers in ecg_rhythm.networks.blocks do"
                )


def _logits(network: networks.Network, signals: list[Tensor]) -> Tensor:
    """Logits of signals, padded to the longest, float64 of shape (signals, classes)."""
    lengths = torch.tensor([len(signal) for signal in signals])
    logits: Tensor = network(pad_sequence(signals, batch_first=True), lengths)
    return logits.double()
