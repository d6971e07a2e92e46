"""What training minimises: a loss, chosen by name, and a penalty on the weights.

A loss is built from its section of the model file, the classes of the training part and the number of classes. It maps
logits, shape (batch, classes), and targets, shape (batch,), to one number. Adding one takes a class here, a line in
`LOSSES` and its name in `config.LossFunctionParameters.loss`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.config import LossFunctionParameters, ModelConfig


class WeightedCrossEntropy(nn.Module):
    """Softmax cross-entropy of each recording, times the weight of its class, averaged over the batch.

    With the share s of a class among the targets, c = `class_penalty` and p = `class_power`, its weight is
    ((1 - c) + c / s) x s^-p, the second factor divided by its mean over the classes.
    """

    def __init__(self, options: LossFunctionParameters, targets: NDArray[np.int64], n_classes: int) -> None:
        super().__init__()
        self.smoothing = options.label_smoothing
        shares = np.bincount(targets, minlength=n_classes) / max(len(targets), 1)
        present = shares > 0
        inverse = np.divide(1.0, shares, out=np.zeros(n_classes), where=present)
        powered = inverse**options.class_power
        weights = ((1 - options.class_penalty) + options.class_penalty * inverse) * powered / powered[present].mean()
        self.weights: Tensor
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32))

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch."""
        losses = F.cross_entropy(logits.float(), targets, reduction="none", label_smoothing=self.smoothing)
        return (losses * self.weights[targets]).mean()


Build = Callable[[LossFunctionParameters, NDArray[np.int64], int], nn.Module]

LOSSES: dict[str, Build] = {"weighted_cross_entropy": WeightedCrossEntropy}
"""Name in the model file -> loss."""


def loss_of(options: LossFunctionParameters, targets: NDArray[np.int64], n_classes: int) -> nn.Module:
    """Build the loss that a model file names.

    Parameters
    ----------
    options : LossFunctionParameters
        Section of the model file.
    targets : ndarray of int64, shape (n,)
        Classes of the training part.
    n_classes : int
        Number of classes.
    """
    return LOSSES[options.loss](options, targets, n_classes)


class StepLoss(nn.Module):
    """The loss of a training step: that of the labels, with a teacher's share, and the mean of the auxiliary heads'.

    Parameters
    ----------
    config : ModelConfig
        It names the loss, and the share of a teacher.
    targets : ndarray of int64, shape (n,)
        Classes of the training part.
    n_classes : int
        Number of classes.

    References
    ----------
    Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015.
    """

    def __init__(self, config: ModelConfig, targets: NDArray[np.int64], n_classes: int) -> None:
        super().__init__()
        self.of_labels = loss_of(config.loss_function_parameters, targets, n_classes)
        self.share = 0.0 if config.distillation is None else config.distillation.share

    def forward(self, outputs: Tensor | tuple[Tensor, ...], targets: Tensor, taught: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        outputs : Tensor, shape (batch, classes), or several
            Logits of the network, and of each head.
        targets : Tensor of int64, shape (batch,)
            The labels.
        taught : Tensor, shape (batch, classes), optional
            The teacher's probabilities.
        """
        main, *heads = (
            self._of(logits, targets, taught) for logits in (outputs if isinstance(outputs, tuple) else (outputs,))
        )
        return main + torch.stack(heads).mean() if heads else main

    def _of(self, logits: Tensor, targets: Tensor, taught: Tensor | None) -> Tensor:
        loss: Tensor = self.of_labels(logits, targets)
        if taught is None:
            return loss
        return (1 - self.share) * loss + self.share * F.cross_entropy(logits.float(), taught)


def l2_penalty(network: nn.Module, options: LossFunctionParameters) -> Tensor | float:
    """`l2_penalty` times half the sum of squares of all weights that learn, biases and batch norm left out."""
    if options.l2_penalty == 0:
        return 0.0
    squares = [p.square().sum() for p in network.parameters() if p.ndim > 1 and p.requires_grad]
    return options.l2_penalty * torch.stack(squares).sum() / 2
