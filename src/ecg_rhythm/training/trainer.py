"""Train a network on one fold: phases, epochs, early stopping, checkpoints.

Every epoch is a function of the seed, its number and the state before it, and that state is saved when the epoch ends:
a training that was cut off goes on as if nothing had happened. On one CPU and with the same number of threads its
weights are the same to the bit.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from ecg_rhythm import networks
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import NOISE, Metrics, score
from ecg_rhythm.training.batches import Batch, on_device, training_batches
from ecg_rhythm.training.checkpoint import checkpoint_tensors, read_checkpoint, restore_checkpoint, save_checkpoint
from ecg_rhythm.training.environment import shared
from ecg_rhythm.training.epoch import seed_of
from ecg_rhythm.training.fold import Parts, Trained
from ecg_rhythm.training.heads import WithHeads
from ecg_rhythm.training.loss import StepLoss, l2_penalty
from ecg_rhythm.training.optimizer import move_average, optimizer_of, rate_at
from ecg_rhythm.training.progress import Clock, Progress, State, column_of, write_hotlog, write_progress
from ecg_rhythm.training.scoring import Scorer
from ecg_rhythm.weights import torch_model
from ecg_rhythm.weights.metadata import Metadata
from ecg_rhythm.weights.run_files import RunFiles

Report = Callable[[Progress], None]


class Trainer:
    """Trains one network; what would else be handed from function to function.

    Parameters
    ----------
    config : ModelConfig
        Architecture and recipe.
    parts : Parts
        The recordings.
    place : RunFiles
        Where the checkpoint, the best weights of each phase, a row for each validation and the progress are kept.
    metadata : Metadata
        What the weights say of themselves; phase, epoch and score are added.
    accelerator : Accelerator
        Devices, number format, processes; trackers get each validation's metrics.
    teacher : Network, optional
        The trained network to learn from, of a configuration with a distillation.
    seed : int
        Of everything random.
    score_test : bool
        Also score the test part at every validation; never used to choose.
    report : callable
        Called with the progress after every batch that is trained on or predicted, and after every epoch.

    Raises
    ------
    BadInput
        If there is a teacher without a distillation, or the other way round.
    """

    def __init__(
        self,
        config: ModelConfig,
        parts: Parts,
        place: RunFiles,
        metadata: Metadata,
        accelerator: Accelerator,
        *,
        teacher: networks.Network | None = None,
        seed: int = 0,
        score_test: bool = False,
        report: Report = lambda progress: None,
    ) -> None:
        self.config, self.parts, self.place, self.metadata = config, parts, place, metadata
        self.accelerator, self.seed, self.score_test, self.report = accelerator, seed, score_test, report
        if (config.distillation is None) != (teacher is None):
            raise BadInput(
                "model: it names no teacher, so give none"
                if config.distillation is None
                else f"model: it learns from a teacher, {config.distillation.teacher}; give that network, trained"
            )
        self.options, self.epochs = config.training_parameters, networks.epochs_per_phase(config)
        classes = len(parts.store.classes)
        torch.manual_seed(seed_of(seed))
        self.bare = networks.build(config, parts.store.fs, classes).to(accelerator.device)
        self.average = copy.deepcopy(self.bare) if self.options.weight_average else None
        self.learning = WithHeads(self.bare, parts.store.fs, classes) if self.options.auxiliary_heads else self.bare
        self.learning.to(accelerator.device)
        self.network = shared(self.learning, self.bare.phases, accelerator)
        self.recordings = on_device(parts.store, accelerator.device)
        self.loss = StepLoss(config, parts.targets[parts.train], classes).to(accelerator.device)
        self.scorer = Scorer(config, parts, self.recordings, self.loss, accelerator, self._report_step)
        self.teacher = None if teacher is None else teacher.to(accelerator.device).eval()
        self.steps_per_epoch = -(-len(parts.train) // self.options.batch_size)
        self.state = State()
        self.clock = Clock()

    @property
    def kept(self) -> networks.Network:
        """The network that is scored and kept: that of the averaged weights, if there is one."""
        return self.bare if self.average is None else self.average

    def fit(self) -> Trained:
        """Train all phases, from the checkpoint if there is one, and predict with the best weights of the last.

        Raises
        ------
        BadInput
            If the checkpoint is damaged, or training diverges.
        """
        tensors: dict[str, Tensor] = {}
        if self.place.checkpoint.exists():
            self.state, tensors = read_checkpoint(self.place.checkpoint, self.epochs, self.steps_per_epoch)
        self.accelerator.wait_for_everyone()  # all have read before one writes
        if self.place.checkpoint.exists() and self.accelerator.is_main_process:
            self._write_logs()  # an earlier process may have been killed between the checkpoint and these
        self.clock.add(self.state)
        while self.state.phase < len(self.epochs):
            self.train_phase(tensors)
            tensors = {}
        self.bare.enter_phase(len(self.epochs) - 1)
        self._load_best(len(self.epochs) - 1)
        parts = {"valid": self.parts.valid, "test": self.parts.test}
        predictions = {name: self.scorer.predict(part, self.bare) for name, part in parts.items() if len(part)}
        return Trained(self.state.phases, predictions, self.clock.seconds, self.clock.cpu_seconds)

    def train_phase(self, tensors: dict[str, Tensor]) -> None:
        """Train one phase from its beginning, or from a checkpoint's tensors, and score its best weights."""
        state, phase = self.state, self.state.phase
        self.bare.enter_phase(phase)
        self.kept.enter_phase(phase)
        if phase > 0 and not tensors:
            self._load_best(phase - 1)
        if isinstance(self.learning, WithHeads):
            self.learning.restart(seed_of(self.seed, phase))
        if self.average is not None:
            self.average.load_state_dict(self.bare.state_dict())
        optimizer: Any = self.accelerator.prepare(optimizer_of(self.learning, self.options))
        if tensors:
            restore_checkpoint(self.learning, self.average, optimizer, tensors, self.place.checkpoint)
        scaler = self.accelerator.scaler
        if scaler is not None and state.scaler:
            try:
                scaler.load_state_dict(state.scaler)
            except (KeyError, RuntimeError):
                where = self.place.checkpoint
                raise BadInput(f"{where}: its loss scale is damaged; train it again with --restart") from None
        while state.epoch < self.epochs[phase] and not state.has_stalled(self.options):
            self.train_epoch(optimizer)
            if state.is_due(self.options, self.epochs[phase]):
                self.validate()
            if scaler is not None:
                state.scaler = scaler.state_dict()
            self._save(checkpoint_tensors(self.learning, self.average, optimizer))
        if self.epochs[phase] == 0:  # such a phase hands on what it was given
            self.validate()
        self._load_best(phase)
        state.phases.append(
            {
                "phase": phase,
                "epochs": state.epoch,
                "best_epoch": state.best_epoch,
                "valid": self.scorer.score(self.parts.valid, self.bare).scores if len(self.parts.valid) else None,
                "test": self.scorer.score(self.parts.test, self.bare).scores if len(self.parts.test) else None,
            }
        )
        self.state = state.of_next_phase()
        self.accelerator.free_memory(optimizer)
        self._save({})

    def train_epoch(self, optimizer: Any) -> None:
        """Train one epoch; everything random in it follows from the seed, the phase and its number.

        Raises
        ------
        BadInput
            If the loss is no longer finite.
        """
        state = self.state
        seed = seed_of(self.seed, state.phase)
        torch.manual_seed(seed_of(seed, state.epoch, self.accelerator.process_index))
        self.network.train()
        batches = training_batches(
            self.recordings,
            self.parts.targets,
            self.parts.train,
            batch_size=self.options.batch_size,
            compensation=self.options.dataset_compensation,
            augmentation=self.config.data_augmentation.in_epoch(state.epoch, self.epochs[state.phase]),
            seed=seed,
            epoch=state.epoch,
            process=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
        )
        losses = []
        for number, batch in enumerate(batches):
            losses.append(self.train_step(batch, optimizer))
            state.step += 1
            self.report(state.progress(self.epochs, self.clock.seconds, (number + 0.5) / self.steps_per_epoch))
        state.loss = float(self.accelerator.reduce(torch.stack(losses).mean(), reduction="mean"))
        state.epoch += 1
        if not math.isfinite(state.loss):
            raise BadInput(
                f"training diverged in phase {state.phase}, epoch {state.epoch} (loss {state.loss}); lower "
                "learning_rate or set gradient_clip in the model file"
            )

    def train_step(self, batch: Batch, optimizer: Any) -> Tensor:
        """Move the weights by one batch; gives its loss."""
        for group in optimizer.param_groups:
            group["lr"] = self._learning_rate(self.state.step)
        with self.accelerator.autocast():
            outputs = self.network(batch.signals, batch.lengths)
        targets = torch.from_numpy(self.parts.targets[batch.indices])
        if batch.empty is not None:
            targets[batch.empty] = self.parts.store.classes.index(NOISE)
        targets = targets.to(batch.signals.device, non_blocking=True)
        loss: Tensor = self.loss(outputs, targets, self._taught(batch))
        # Gradients are averaged over processes, each of which has its share of the batch.
        loss = loss * (batch.share * self.accelerator.num_processes)
        loss = loss + l2_penalty(self.bare, self.config.loss_function_parameters)
        self.accelerator.backward(loss)
        if self.options.gradient_clip is not None:
            self.accelerator.clip_grad_norm_(self.network.parameters(), self.options.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        if self.average is not None:
            move_average(self.average, self.bare, self.options.weight_average, self.state.step)
        return loss.detach()

    def _taught(self, batch: Batch) -> Tensor | None:
        """The teacher's probabilities of a batch, shape (batch, classes)."""
        if self.teacher is None:
            return None
        with torch.no_grad(), self.accelerator.autocast():
            logits: Tensor = self.teacher(batch.signals, batch.lengths)
            return logits.float().softmax(dim=1)

    def validate(self) -> None:
        """Score the validation part and keep the weights if they are the best of this phase; without one, the last."""
        state, parts = self.state, self.parts
        scored = {"valid": self.scorer.score(parts.valid, self.kept)} if len(parts.valid) else {}
        if self.score_test and len(parts.test):
            scored["test"] = self.scorer.score(parts.test, self.kept)
        valid = scored["valid"].scores if "valid" in scored else None
        best = valid is None or state.best_score is None or valid["challenge"] > state.best_score
        if best and state.may_choose(self.options, self.epochs[state.phase]):
            state.best_score, state.best_epoch = valid["challenge"] if valid else None, state.epoch
            if self.accelerator.is_main_process:
                scores = {**self.metadata.scores, "epoch": state.epoch, "valid": valid}
                metadata = self.metadata.model_copy(update={"phase": state.phase, "scores": scores})
                torch_model.save(self.place.weights(state.phase), self.kept, metadata)
        self._log({part: of_part.metrics for part, of_part in scored.items()})

    def _log(self, metrics: dict[str, Metrics]) -> None:
        """Add a row to the hotlog, and to the trackers' logs; part -> its metrics."""
        state, rate = self.state, self._learning_rate(max(self.state.step - 1, 0))
        names = ["loss", *score([], [], self.parts.store.classes)]
        row: dict[str, Any] = {
            "phase": state.phase,
            "epoch": state.epoch,
            "best_epoch": state.best_epoch,
            "loss": state.loss,
            "learning_rate": rate,
            "seconds": self.clock.seconds,
        }
        for part in ("valid", "test"):
            row |= {column_of(part, name): metrics.get(part, {}).get(name) for name in names}
        state.hotlog.append(row)
        logged = {"learning_rate": rate, "seconds": row["seconds"]}
        if state.loss is not None:
            logged["loss"] = state.loss
        logged |= {f"{part}/{name}": value for part, of_part in metrics.items() for name, value in of_part.items()}
        self.accelerator.log(logged, step=state.epochs_so_far)

    def _report_step(self) -> None:
        """Report within a validation: predictions for a large part of a data set take long."""
        self.report(self.state.progress(self.epochs, self.clock.seconds))

    def _learning_rate(self, step: int) -> float:
        phase = self.state.phase
        steps = max(self.epochs[phase] * self.steps_per_epoch, 1)
        return rate_at(step, steps, self.options, self.bare.phases[phase].rate)

    def _save(self, tensors: dict[str, Tensor]) -> None:
        """Make what was done so far last; between two phases there are no tensors to keep."""
        self.state.seconds, self.state.cpu_seconds = self.clock.seconds, self.clock.cpu_seconds
        if self.accelerator.is_main_process:
            save_checkpoint(self.place.checkpoint, tensors, self.state)
            self._write_logs()
            self.report(self._progress())

    def _write_logs(self) -> None:
        write_hotlog(self.place.hotlog, self.state.hotlog)
        write_progress(self.place.progress, self._progress())

    def _progress(self) -> Progress:
        """How far the training is, after a whole epoch or between two phases."""
        return self.state.progress(self.epochs, self.state.seconds, ends_epoch=self.state.loss is not None)

    def _load_best(self, phase: int) -> None:
        self.accelerator.wait_for_everyone()  # until it is written
        path = self.place.weights(phase)
        best, _ = torch_model.load(path)
        try:
            self.bare.load_state_dict(best.state_dict())
        except RuntimeError:
            raise BadInput(f"{path}: these are weights of another network; train it again with --restart") from None
