"""Train one run: phases, epochs, early stopping, checkpoints, scores.

Every epoch is a function of the seed, its number and the state before it, and that state is saved when
the epoch ends; so a run that was cut off goes on as if nothing had happened. On one CPU and with the
same number of threads its weights are the same to the bit.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ecg_rhythm import files, networks
from ecg_rhythm.config import TrainingParameters
from ecg_rhythm.data.store import Store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import predictions
from ecg_rhythm.evaluation.metrics import NOISE, Scores, score
from ecg_rhythm.experiments import folder as runs
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.networks.registry import build
from ecg_rhythm.training import environment
from ecg_rhythm.training.batches import Batch, on_device, seed_of, sorted_batches, training_batches
from ecg_rhythm.training.checkpoint import checkpoint_tensors, read_checkpoint, restore_checkpoint, save_checkpoint
from ecg_rhythm.training.loss import class_weights, l2_loss, weighted_loss
from ecg_rhythm.training.optimizer import follow, optimizer_of, schedule
from ecg_rhythm.training.predict import probabilities
from ecg_rhythm.training.progress import HOTLOG, Progress, State, write_hotlog, write_progress
from ecg_rhythm.weights import torch_model
from ecg_rhythm.weights.metadata import Metadata
from ecg_rhythm.weights.run_files import SCORES

EVALUATION_BATCH = 32
DECAY_PER_STEP = 0.9999

Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Task:
    """What a run trains and is judged on."""

    spec: RunSpec
    folder: Path
    store: Store
    targets: NDArray[np.int64]
    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]
    epochs: list[int]


class _Run:
    """A run under way: what would else be handed from function to function."""

    def __init__(self, task: Task, accelerator: Accelerator, report: Report) -> None:
        self.task, self.accelerator, self.report = task, accelerator, report
        self.options: TrainingParameters = task.spec.model.training_parameters
        self.writes = accelerator.is_main_process
        """Whether this process, of those that train together, keeps what is kept."""
        torch.manual_seed(seed_of(task.spec.job.seed))
        self.bare = build(task.spec.model, task.store.fs, len(task.store.classes))
        self.bare.to(accelerator.device)
        self.average = copy.deepcopy(self.bare) if self.options.weight_average else None
        self.network: nn.Module = self.bare
        if accelerator.num_processes > 1:
            # Without `device_ids`, which would make it move lengths from the CPU, where they are wanted.
            rests = any(phase.frozen or phase.unused for phase in self.bare.phases)
            self.network = DistributedDataParallel(self.bare, find_unused_parameters=rests)
        self.recordings = on_device(task.store, accelerator.device)
        self.class_weights = class_weights(
            task.targets[task.train], len(task.store.classes), task.spec.model.loss_function_parameters
        ).to(accelerator.device)
        self.steps_per_epoch = -(-len(task.train) // self.options.batch_size)
        self.state = State()
        self.began, self.seconds_before = time.monotonic(), 0.0

    @property
    def kept(self) -> networks.Network:
        """The network that is scored and kept: that of the averaged weights, if there is one."""
        return self.bare if self.average is None else self.average

    def finish(self) -> dict[str, Any]:
        """Train all phases, score them, write what is kept."""
        task, checkpoint = self.task, self.task.folder / runs.CHECKPOINT
        tensors: dict[str, Tensor] | None = None
        if checkpoint.exists():
            progress, tensors = read_checkpoint(checkpoint)
            self.state = State.of_checkpoint(progress, checkpoint)
        self.accelerator.wait_for_everyone()  # all have read before one writes
        if self.writes:
            files.write_json(
                task.folder / "environment.json", environment.describe(self.accelerator, task.spec.job.seed)
            )
        if task.spec.job.log_en:
            self.accelerator.init_trackers("tensorboard")
        self.seconds_before = self.state.seconds
        while self.state.phase < len(task.epochs):
            self._phase(tensors)
            tensors = None
        scores = self._write_scores()
        self.accelerator.end_training()
        if self.writes:
            checkpoint.unlink(missing_ok=True)
        return scores

    def _phase(self, tensors: dict[str, Tensor] | None) -> None:
        """Train one phase from its beginning, or from a checkpoint's tensors, and score its best weights."""
        state, phase = self.state, self.state.phase
        self.bare.enter_phase(phase)
        self.kept.enter_phase(phase)
        if phase > 0 and not tensors:
            self._load_best(phase - 1)
        if self.average is not None:
            self.average.load_state_dict(self.bare.state_dict())
        optimizer: Any = self.accelerator.prepare(optimizer_of(self.bare, self.options))
        if tensors:
            restore_checkpoint(self.bare, self.average, _inner(optimizer), tensors)
        if self.accelerator.scaler is not None and state.scaler:
            self.accelerator.scaler.load_state_dict(state.scaler)
        while state.epoch < self.task.epochs[phase] and not state.has_stalled(self.options):
            self._epoch(optimizer)
            state.epoch += 1
            if state.epoch % self.options.validation_step == 0 or state.epoch == self.task.epochs[phase]:
                self._validate()
            if self.accelerator.scaler is not None:
                state.scaler = self.accelerator.scaler.state_dict()
            self._save(checkpoint_tensors(self.bare, self.average, _inner(optimizer)))
        if self.task.epochs[phase] == 0:  # such a phase hands on what it was given
            self._validate()
        self._load_best(phase)
        state.phases.append(self._score_phase())
        self.state = state.of_next_phase(self._seconds())
        self.accelerator.free_memory(optimizer)
        self._save({})

    def _epoch(self, optimizer: Any) -> None:
        """Train one epoch; everything random in it follows from the seed, the phase and its number."""
        state, task = self.state, self.task
        seed = seed_of(task.spec.job.seed, state.phase)
        torch.manual_seed(seed_of(seed, state.epoch, self.accelerator.process_index))
        self.network.train()
        losses, loss_options = [], task.spec.model.loss_function_parameters
        for number, batch in enumerate(self._batches(seed)):
            for group in optimizer.param_groups:
                group["lr"] = self._learning_rate(state.step)
            with self.accelerator.autocast():
                logits = self.network(batch.signals, batch.lengths)
            targets = torch.from_numpy(task.targets[batch.indices])
            if batch.empty is not None:
                targets[batch.empty] = task.store.classes.index(NOISE)
            targets = targets.to(logits.device, non_blocking=True)
            loss = weighted_loss(logits, targets, self.class_weights, loss_options.label_smoothing)
            # Gradients are averaged over processes, each of which has its share of the batch.
            loss = loss * (batch.share * self.accelerator.num_processes)
            loss = loss + l2_loss(self.bare, loss_options)
            self.accelerator.backward(loss)
            if self.options.gradient_clip is not None:
                self.accelerator.clip_grad_norm_(self.network.parameters(), self.options.gradient_clip)
            optimizer.step()
            optimizer.zero_grad()
            if self.average is not None:
                follow(self.average, self.bare, self.options.weight_average, state.step)
            losses.append(loss.detach())
            state.step += 1
            self.report(state.progress(task.epochs, self._seconds(), (number + 0.5) / self.steps_per_epoch))
        state.loss = float(self.accelerator.reduce(torch.stack(losses).mean(), reduction="mean"))
        if not math.isfinite(state.loss):
            raise BadInput(
                f"{task.spec.title}: training diverged in phase {state.phase}, epoch {state.epoch + 1} "
                f"(loss {state.loss}); lower learning_rate or set gradient_clip in the model file"
            )

    def _batches(self, seed: int) -> Iterator[Batch]:
        return training_batches(
            self.recordings,
            self.task.targets,
            self.task.train,
            batch_size=self.options.batch_size,
            compensation=self.options.dataset_compensation,
            augmentation=self.task.spec.model.data_augmentation,
            seed=seed,
            epoch=self.state.epoch,
            process=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
        )

    def _learning_rate(self, step: int) -> float:
        """Return the rate of a step of this phase."""
        state = self.state
        total = max(self.task.epochs[state.phase] * self.steps_per_epoch, 1)
        rate = self.options.learning_rate * self.bare.phases[state.phase].rate
        if self.options.exponential_decay:
            rate *= DECAY_PER_STEP**step
        return rate * schedule(self.options.rate_schedule, step / total)

    def _validate(self) -> None:
        """Score the validation part and keep the weights if they are the best of this phase; without one, the last."""
        state, task = self.state, self.task
        valid = self._score(task.valid, self.kept) if len(task.valid) else None
        test = self._score(task.test, self.kept) if task.spec.job.log_test_score else None
        if valid is None or state.best_score is None or valid["challenge"] > state.best_score:
            state.best_score, state.best_epoch = valid and valid["challenge"], state.epoch
            if self.writes:
                torch_model.save(self._weights_file(state.phase), self.kept, self._metadata(valid))
        rate = self._learning_rate(max(state.step - 1, 0))
        row = (
            state.phase, state.epoch, state.best_epoch, state.loss, rate, valid and valid["accuracy"],
            valid and valid["challenge"], test and test["accuracy"], test and test["challenge"], self._seconds(),
        )  # fmt: skip
        state.hotlog.append(dict(zip(HOTLOG, row, strict=True)))
        if task.spec.job.log_en:
            values = {name: v for name, v in state.hotlog[-1].items() if v is not None and name not in HOTLOG[:3]}
            epochs_before = sum(row["epoch"] for row in _last_of_each_phase(state.hotlog) if row["phase"] < state.phase)
            self.accelerator.log(values, step=epochs_before + state.epoch)

    def _save(self, tensors: dict[str, Tensor]) -> None:
        """Make what was done so far last; between two phases there are no tensors to keep."""
        self.state.seconds = self._seconds()
        if not self.writes:
            return
        save_checkpoint(self.task.folder / runs.CHECKPOINT, tensors, asdict(self.state))
        write_hotlog(self.task.folder, self.state.hotlog)
        progress = self.state.progress(self.task.epochs, self.state.seconds)
        write_progress(self.task.folder, progress)
        self.report(progress)

    def _score(self, indices: NDArray[np.int64], network: networks.Network) -> Scores:
        found, predicted = self._predict(indices, network)
        return score(self.task.targets[found], predicted.argmax(axis=1), self.task.store.classes)

    def _predict(
        self, indices: NDArray[np.int64], network: networks.Network
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return positions of recordings, ascending, and their probabilities; each process computes its share."""
        accelerator = self.accelerator
        share = indices[accelerator.process_index :: accelerator.num_processes]
        window = self.task.spec.model.data_augmentation.window
        batches = sorted_batches(self.recordings, share, EVALUATION_BATCH, window)
        with accelerator.autocast():
            parts = gather_object([probabilities(network, batches, accelerator.device)] if len(share) else [])
        found, predicted = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(found, kind="stable")
        return found[order], predicted[order]

    def _score_phase(self) -> dict[str, Any]:
        """Score the best weights of this phase on the validation and the test part."""
        state = self.state
        return {
            "phase": state.phase,
            "epochs": state.epoch,
            "best_epoch": state.best_epoch,
            "valid": self._score(self.task.valid, self.bare) if len(self.task.valid) else None,
            "test": self._score(self.task.test, self.bare),
        }

    def _write_scores(self) -> dict[str, Any]:
        """Write the predictions of the last phase's best weights, and last of all the scores."""
        task, state = self.task, self.state
        self.bare.enter_phase(len(task.epochs) - 1)
        self._load_best(len(task.epochs) - 1)
        parts = {}
        for part, indices in (("valid", task.valid), ("test", task.test)):
            if not len(indices):
                continue
            found, predicted = self._predict(indices, self.bare)
            parts[part] = predictions.Predictions(
                [task.store.names[i] for i in found],
                np.full(len(found), task.spec.fold),
                task.targets[found],
                predicted,
                task.store.classes,
            )
        scores = {
            "architecture": task.spec.model.model_name,
            "job": task.spec.job_name,
            "fold": task.spec.fold,
            "classes": task.store.classes,
            "data": task.store.fingerprint,
            "split": task.spec.job.split,
            "labels": task.spec.job.labels or task.store.default_labels,
            "seconds": round(self._seconds(), 1),
            "phases": state.phases,
        }
        if self.writes:
            predictions.write_predictions(task.folder / runs.PREDICTIONS, parts)
            files.write_json(task.folder / SCORES, scores)
        return scores

    def _load_best(self, phase: int) -> None:
        self.accelerator.wait_for_everyone()  # until it is written
        best, _ = torch_model.load(self._weights_file(phase))
        self.bare.load_state_dict(best.state_dict())

    def _weights_file(self, phase: int) -> Path:
        return self.task.folder / f"phase{phase}.safetensors"

    def _metadata(self, valid: Scores | None) -> Metadata:
        task = self.task
        return Metadata(
            config=task.spec.model,
            phase=self.state.phase,
            classes=task.store.classes,
            fs=task.store.fs,
            scores={"job": task.spec.job_name, "fold": task.spec.fold, "epoch": self.state.epoch, "valid": valid},
            origin=task.store.origin,
        )

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.began


def _inner(optimizer: Any) -> torch.optim.Optimizer:
    """Return the optimizer inside accelerate's wrapper."""
    inner: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return inner


def _last_of_each_phase(hotlog: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({row["phase"]: row for row in hotlog}.values())
