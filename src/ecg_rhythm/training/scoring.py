"""Predict the recordings of a part of a fold while a network is trained, and score them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray

from ecg_rhythm import networks
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.evaluation.metrics import Metrics, score, scores_for_file
from ecg_rhythm.training.batches import Batch, Recordings, sorted_batches
from ecg_rhythm.training.fold import Indices, Parts
from ecg_rhythm.training.loss import StepLoss, l2_penalty
from ecg_rhythm.training.predict import probabilities

EVALUATION_BATCH = 32


class Scored(NamedTuple):
    """What a prediction is worth.

    Attributes
    ----------
    scores : dict
        As in `scores.json`.
    metrics : dict
        Every metric, and the loss.
    """

    scores: dict[str, Any]
    metrics: Metrics


@dataclass(frozen=True)
class Scorer:
    """Predicts and scores parts of a fold; what would else be handed on with every network.

    Attributes
    ----------
    config : ModelConfig
        How recordings are cut into windows, and what the loss adds.
    parts : Parts
        The recordings and their classes.
    recordings : Recordings
        Their signals, for the device that computes.
    loss : StepLoss
        The loss of training.
    accelerator : Accelerator
        Device, number format, processes: each computes its share.
    before_batch : callable
        Called before each batch is predicted.
    """

    config: ModelConfig
    parts: Parts
    recordings: Recordings
    loss: StepLoss
    accelerator: Accelerator
    before_batch: Callable[[], None]

    def predict(self, indices: Indices, network: networks.Network) -> tuple[Indices, NDArray[np.float64]]:
        """Positions of recordings, ascending, and their probabilities, shape (n, classes)."""
        accelerator = self.accelerator
        share = indices[accelerator.process_index :: accelerator.num_processes]
        window = self.config.data_augmentation.window
        batches = self._announced(sorted_batches(self.recordings, share, EVALUATION_BATCH, window))
        with accelerator.autocast():
            own = [probabilities(network, batches, accelerator.device)] if len(share) else []
            positions, predicted = (np.concatenate(part) for part in zip(*gather_object(own), strict=True))
        order = np.argsort(positions, kind="stable")
        return positions[order], predicted[order]

    def score(self, indices: Indices, network: networks.Network) -> Scored:
        """Score the predictions of a network for some recordings."""
        positions, predicted = self.predict(indices, network)
        targets, classes = self.parts.targets[positions], self.parts.store.classes
        labels = predicted.argmax(axis=1)
        metrics = {"loss": self._loss_of(targets, predicted, network), **score(targets, labels, classes)}
        return Scored(scores_for_file(targets, labels, classes), metrics)

    def _announced(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self.before_batch()
            yield batch

    @torch.no_grad()
    def _loss_of(self, targets: Indices, predicted: NDArray[np.float64], network: networks.Network) -> float:
        """The loss of training, of whole recordings: that of their labels, and the penalty on the weights.

        What helps training alone is left out: augmentation, auxiliary heads, a teacher. A recording that is classified
        in windows has the loss of its mean probabilities, which are what is scored.
        """
        logits = torch.from_numpy(predicted).clamp_min(torch.finfo(torch.float64).tiny).log()
        device = self.accelerator.device
        loss = self.loss.of_labels(logits.to(device, torch.float32), torch.from_numpy(targets).to(device))
        return float(loss + l2_penalty(network, self.config.loss_function_parameters))
