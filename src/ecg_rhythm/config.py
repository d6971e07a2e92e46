"""What a model file and a job file are; the original system's JSON loads unchanged.

Nothing here knows how a network is built: the keys below `model_parameters` belong to the
architecture and are checked by `ecg_rhythm.networks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    model_validator,
)

from ecg_rhythm.errors import BadInput
from ecg_rhythm.schema import Flag, Name, Section, parse, read_text

Chance = Annotated[float, Field(ge=0, le=1)]


class Preprocessing(Section):
    """How a signal becomes the input of the first layer."""

    spectrogram: Flag
    """True: natural log of the power spectrogram; false: the signal itself in mV."""
    nperseg: int = Field(default=64, ge=4, le=4096)
    """Samples per segment of the spectrogram."""
    noverlap: int = Field(default=32, ge=0)
    """Samples two neighbouring segments share."""
    log_of_zero: float = 0.0
    """What stands for the logarithm where the power is zero."""

    @model_validator(mode="after")
    def _segments_advance(self) -> Preprocessing:
        if self.noverlap >= self.nperseg:
            raise ValueError(f"noverlap ({self.noverlap}) must be smaller than nperseg ({self.nperseg})")
        return self


class LossFunctionParameters(Section):
    """Weighted cross-entropy plus an L2 term."""

    l2_penalty: float = Field(ge=0)
    """Factor of half the sum of squares of all weights but biases and batch norm."""
    class_penalty: float = Field(ge=0, le=1)
    """0: all classes weigh the same; 1: each weighs 100 / its share in percent."""
    class_power: float = Field(default=0, ge=0, le=1)
    """Each class also weighs 1 / its share to this power, 1 on average over the classes."""
    loss: Literal["weighted_cross_entropy"] = "weighted_cross_entropy"
    """What is minimised."""
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    """How much of each target is spread evenly over all classes."""


class TrainingParameters(Section):
    """How a network is trained; here and elsewhere keys with a default are ours, all others the original's."""

    learning_rate: float = Field(gt=0)
    batch_size: int = Field(ge=1, le=100_000)
    drop_rate: float = Field(ge=0, lt=1)
    """Chance that a unit is dropped in training."""
    exponential_decay: Flag
    """Multiply the rate by 0.9999 after every step."""
    dataset_compensation: float = Field(ge=0)
    """Repeat each class int(100 x this / its share in percent) + 1 times per epoch."""
    validation_step: int = Field(ge=1)
    """Validate every this many epochs, and after the last one of a phase."""
    early_stop_wait: int = Field(ge=1)
    """Stop a phase when the validation score has not risen for this many epochs ..."""
    early_stop_after: int = Field(default=300, ge=0)
    """... and more than this many epochs have passed."""
    epochs: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = None
    """Most epochs of each phase, or one number for all; null takes the architecture's own."""
    gradient_clip: float | None = Field(default=None, gt=0)
    """Largest allowed norm of the gradient; null does not clip."""
    rate_schedule: Literal["constant", "one_cycle", "cosine"] = "constant"
    """How the learning rate moves within a phase."""
    weight_decay: float = Field(default=0, ge=0)
    """Decay of the weights apart from the gradient, as AdamW has it."""
    weight_average: float = Field(default=0, ge=0, lt=1)
    """Decay per step of a moving average of the weights, which is what is scored and kept; 0 averages nothing."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format of the heavy layers; auto: bf16 where the device computes in it, else fp32."""


class DataAugmentation(Section):
    """Changes made to the training recordings, drawn anew every `reload_step` epochs."""

    resampling: Flag
    """Stretch as if a heart at 80 bpm beat at a rate drawn from 60 to 120 bpm."""
    resample_method: Literal["random"]
    zero_filter: Flag
    """Dropout bursts: short stretches around random instants are set to 0."""
    reload_step: int = Field(ge=1)
    awgn: Flag
    """Add white Gaussian noise with a third of the signal's power."""
    crop: Chance = 0.0
    """That of a recording longer than 10 s, a part of 60 to 100 % is taken; then a batch is cut to its shortest too."""
    window: float | None = Field(default=None, ge=1, le=3600)
    """Of what is longer, a stretch of this many seconds is taken at random; batches are cut to their shortest.

    The trained network is asked in windows of that length, too, and its probabilities are averaged."""
    speed: Chance = 0.0
    """That it is played at 0.88 to 1.14 times its speed."""
    polarity: Chance = 0.0
    """That it is turned upside down."""
    gain: Chance = 0.0
    """That it is multiplied by 0.7 to 1.4."""
    noise: Chance = 0.0
    """That white noise of up to a tenth of its standard deviation is added."""
    wander: Chance = 0.0
    """That a sine of 0.05 to 0.5 Hz and up to twice its standard deviation is added."""
    hum: Chance = 0.0
    """That a sine of 50 or 60 Hz and up to its standard deviation is added."""
    empty: Chance = 0.0
    """That it is replaced by noise, a sine or nothing at all, and its label by `~`."""
    stuck: Chance = 0.0
    """That a stretch of 2 to 45 % of it is held at one value, half the time far off."""
    gaps: Chance = 0.0
    """That 1 to 5 stretches of 0.03 to 0.5 s are set to 0."""


class ModelConfig(Section):
    """A model file: an architecture, its parameters and how to train it."""

    model_name: str
    model_parameters: dict[str, Any]
    preprocessing: Preprocessing
    loss_function_parameters: LossFunctionParameters
    training_parameters: TrainingParameters
    data_augmentation: DataAugmentation

    def with_epochs(self, epochs: list[int]) -> ModelConfig:
        """Return the same model trained for other numbers of epochs per phase."""
        training = self.training_parameters.model_copy(update={"epochs": epochs})
        return self.model_copy(update={"training_parameters": training})


class Job(Section):
    """One entry of a job file: a model, the split it is tried on and the folds to run."""

    description: str = ""
    model: Name
    split: Name
    log_en: Flag = False
    """Write a TensorBoard log."""
    log_test_score: Flag = False
    """Also score the test fold at every validation (shown, never used to choose)."""
    cvids: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    """Folds to run."""
    labels: str | None = None
    """Label version to train and score on; null takes the data set's default."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of everything random in a run."""


JobFile = Annotated[dict[Name, Job], Field(min_length=1)]


def load_model(path: Path | str) -> ModelConfig:
    """Read a model file; the parameters of the architecture are checked by `networks.check`."""
    config: ModelConfig = parse(ModelConfig, read_text(path), str(path))
    return config


def load_jobs(path: Path | str) -> dict[str, Job]:
    """Read a job file: job name -> `Job`."""
    jobs: dict[str, Job] = parse(JobFile, read_text(path), str(path))
    return jobs


def find_model(name: str, job_file: Path | str) -> Path:
    """Return the model file a job names.

    It is looked for beside the job file, in `models/` there and beside the job file's folder, and among
    the models that come with the program.
    """
    folder = Path(job_file).resolve().parent
    places = [folder, folder / "models", folder.parent / "models", shipped("models")]
    for place in places:
        path = place / f"{name}.json"
        if path.is_file():
            return path
    looked = ", ".join(str(place) for place in places)
    raise BadInput(f"{job_file}: there is no model file {name}.json in any of {looked}; write it there or name another")


def shipped(folder: str) -> Path:
    """Return the folder of JSON files that comes with the program: `models` or `jobs`."""
    installed = Path(__file__).parent / "assets" / folder
    return installed if installed.is_dir() else Path(__file__).parents[2] / folder
