"""Model files and job files; the JSON files of the original system load unchanged.

The keys below `model_parameters` belong to the architecture, and `ecg_rhythm.networks` checks them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from ecg_rhythm.errors import BadInput
from ecg_rhythm.schema import Flag, Name, Section, parse, read_text

Chance = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=1, le=3600)]


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("unknown key; augmentations of other packages take a chance from 0 to 1")
    return value


class Preprocessing(Section):
    """How a signal becomes the input of the first layer."""

    spectrogram: Flag
    """Input of the network: true gives the natural log of the power spectrogram, false the signal itself in mV."""
    nperseg: int = Field(default=64, ge=4, le=4096)
    """Samples per segment of the spectrogram."""
    noverlap: int = Field(default=32, ge=0)
    """Samples that two neighbouring segments share."""
    log_of_zero: float = Field(default=0.0, ge=-1000, le=1000)
    """Value of the logarithm where the power is zero."""

    @model_validator(mode="after")
    def _segments_advance(self) -> Preprocessing:
        if self.noverlap >= self.nperseg:
            raise ValueError(f"noverlap ({self.noverlap}) must be smaller than nperseg ({self.nperseg})")
        return self


class LossFunctionParameters(Section):
    """Weighted cross-entropy plus an L2 term."""

    l2_penalty: float = Field(ge=0)
    """Factor of the penalty: half the sum of squares of all weights, biases and batch norm left out."""
    class_penalty: float = Field(ge=0, le=1)
    """Weight of rare classes: with 0 all classes count the same, with 1 each counts 100 / its share in percent."""
    class_power: float = Field(default=0, ge=0, le=1)
    """Power of rare classes: each also counts 1 / its share to this power, scaled to a mean of 1 over the classes."""
    loss: Literal["weighted_cross_entropy"] = "weighted_cross_entropy"
    """Name of the loss to minimise."""
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    """Share of each target that is spread evenly over all classes."""


class TrainingParameters(Section):
    """How a network is trained. Here and elsewhere, keys without a default are those of the 2017 system."""

    learning_rate: float = Field(gt=0)
    """Learning rate, before schedule, decay and the factor of the phase."""
    batch_size: int = Field(ge=1, le=100_000)
    """Recordings per training step."""
    drop_rate: float = Field(ge=0, lt=1)
    """Chance that dropout sets a unit to 0 in training."""
    exponential_decay: Flag
    """Multiply the learning rate by 0.9999 after every step."""
    dataset_compensation: float = Field(ge=0, le=100)
    """Repetition of rare classes: a class comes int(100 x this / its share in percent) + 1 times per epoch."""
    validation_step: int = Field(ge=1)
    """Epochs between two validations; the last epoch of a phase is always validated."""
    early_stop_wait: int = Field(ge=1)
    """Stop a phase early when the validation score has not risen for this many epochs."""
    early_stop_after: int = Field(default=300, ge=0)
    """Do not stop a phase early before more than this many epochs have passed."""
    choose_from: float = Field(default=0, ge=0, lt=1)
    """Share of the epochs of a phase after which validation may choose; earlier weights are never kept."""
    epochs: Annotated[list[Annotated[int, Field(ge=0, le=1_000_000)]], Field(min_length=1)] | None = None
    """Largest number of epochs of each phase, or one number for all; null takes those of the architecture."""
    gradient_clip: float | None = Field(default=None, gt=0)
    """Largest norm of the gradient, which is clipped to it; null does not clip."""
    rate_schedule: Literal["constant", "one_cycle", "cosine"] = "constant"
    """Schedule of the learning rate within a phase."""
    optimizer: Literal["adam", "adamw", "muon"] = "adamw"
    """Optimizer; `weight_decay` is part of the gradient with adam. `muon` moves the kernels of convolutions that have
    several input channels, each by 30 x `learning_rate` of its norm, and keeps that norm; adamw moves all other
    weights, the only ones that `weight_decay` applies to."""
    auxiliary_heads: Flag = False
    """Let a linear classifier learn the labels after each of the network's `blocks` but the first.

    The mean of their losses is added to the loss. They begin again in each phase, and are not part of the trained
    network."""
    weight_decay: float = Field(default=0, ge=0)
    """Decoupled weight decay, as in AdamW."""
    weight_average: float = Field(default=0, ge=0, lt=1)
    """Decay per step of a moving average of the weights, which is scored and kept instead; 0 averages nothing."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format of the large layers; auto takes bf16 where the device computes in it, else fp32."""


class DataAugmentation(Section):
    """Changes made to the training recordings, drawn again every `reload_step` epochs.

    Any other key is the chance of an augmentation of another package. Whether that is installed is checked before
    training; a trained network is used without it.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Chance, BeforeValidator(_number)]] = Field(init=False)

    resampling: Flag
    """Resample as if a heart at 80 bpm beat at a random rate of 60 to 120 bpm."""
    resample_method: Literal["random"]
    """Method of `resampling`; there is only one."""
    zero_filter: Flag
    """Dropout bursts: set the samples around random instants to 0, about 22 % of a recording."""
    reload_step: int = Field(ge=1)
    """Number of epochs after which augmentations are drawn again."""
    awgn: Flag
    """Add white Gaussian noise with a third of the signal's power."""
    crop: Chance = 0.0
    """Chance that 60 to 100 % of a recording longer than 10 s is taken; each batch is also cut to its shortest."""
    window: Seconds | None = None
    """Length in seconds of a random window that longer recordings are cut to; each batch is also cut to its shortest.

    The trained network then classifies windows of that length, too, and their probabilities are averaged."""
    window_schedule: Annotated[list[Seconds], Field(min_length=1)] | None = None
    """Lengths of the window in equal parts of the epochs of a phase, in place of `window`: [8, 8, 15, 30], for example,
    is 8 s in the first half of them. What the trained network then classifies depends on `window` alone."""
    speed: Chance = 0.0
    """Chance that a recording is played at 0.88 to 1.14 times its speed."""
    polarity: Chance = 0.0
    """Chance that a recording is turned upside down."""
    gain: Chance = 0.0
    """Chance that a recording is multiplied by 0.7 to 1.4."""
    noise: Chance = 0.0
    """Chance that white noise of up to a tenth of its standard deviation is added to a recording."""
    wander: Chance = 0.0
    """Chance that a sine of 0.05 to 0.5 Hz and up to twice its standard deviation is added to a recording."""
    hum: Chance = 0.0
    """Chance that a sine of 50 or 60 Hz and up to its standard deviation is added to a recording."""
    empty: Chance = 0.0
    """Chance that a recording is replaced by noise, a sine or a flat line, and its label by `~`."""
    stuck: Chance = 0.0
    """Chance that 2 to 45 % of a recording is held at one value, half the time a value far off."""
    gaps: Chance = 0.0
    """Chance that 1 to 5 short parts of a recording, of 0.03 to 0.5 s, are set to 0."""

    @property
    def of_packages(self) -> dict[str, float]:
        """Augmentations of other packages, by name: name -> chance."""
        return dict(sorted(self.__pydantic_extra__.items()))

    def in_epoch(self, epoch: int, epochs: int) -> DataAugmentation:
        """The augmentation in an epoch, counted from 0, of a phase of `epochs`: with the window of the schedule."""
        if self.window_schedule is None:
            return self
        window = self.window_schedule[epoch * len(self.window_schedule) // epochs]
        return self.model_copy(update={"window": window})


class Distillation(Section):
    """Learning from another network, the teacher, which is trained on the same part of the data.

    The teacher is the run of its model file on the same split, labels, seed and fold.
    """

    teacher: Name
    """Name of the teacher's model file, without `.json`."""
    share: float = Field(default=0.7, gt=0, le=1)
    """Share of the cross-entropy with the teacher's probabilities in the loss; the rest is the loss of the labels."""


class ModelConfig(Section):
    """A model file: an architecture, its parameters and how to train it."""

    model_name: str
    """Name of the architecture."""
    model_parameters: dict[str, Any]
    """Parameters of the architecture."""
    preprocessing: Preprocessing
    loss_function_parameters: LossFunctionParameters
    training_parameters: TrainingParameters
    data_augmentation: DataAugmentation
    distillation: Distillation | None = None
    """Learning from a teacher; null learns from the labels alone."""

    def with_epochs(self, epochs: list[int]) -> ModelConfig:
        """Copy the model with other numbers of epochs per phase."""
        training = self.training_parameters.model_copy(update={"epochs": epochs})
        return self.model_copy(update={"training_parameters": training})


class Job(Section):
    """One entry of a job file: a model, the split on which it is trained and tested, and the folds to run."""

    description: str = ""
    """Text for people; it changes nothing."""
    model: Name
    """Name of the model file, without `.json`."""
    split: Name
    """Name of the split."""
    log_en: Flag = False
    """Write a TensorBoard log into the run's folder."""
    log_mlflow: Flag = False
    """Log to MLflow: to a local store in the folder of the runs, or to what MLFLOW_TRACKING_URI names."""
    log_test_score: Flag = False
    """Also score the test fold at every validation; the score is shown, but never used to choose."""
    cvids: list[Annotated[int, Field(ge=0, le=1_000_000)]] = Field(min_length=1, max_length=100_000)
    """Numbers of the folds to run, from 0."""
    labels: str | None = None
    """Label version to train and score on; null takes the default of the data set."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of everything random in a run."""


JobFile = Annotated[dict[Name, Job], Field(min_length=1)]


def load_model(path: Path | str) -> ModelConfig:
    """Read a model file; `networks.check` checks the parameters of the architecture."""
    config: ModelConfig = parse(ModelConfig, read_text(path), str(path))
    return config


def load_jobs(path: Path | str) -> dict[str, Job]:
    """Read a job file: job name -> `Job`."""
    jobs: dict[str, Job] = parse(JobFile, read_text(path), str(path))
    return jobs


def find_model(name: str, job_file: Path | str) -> Path:
    """Find the model file that a job names.

    It may be beside the job file, in `models/` there or beside the job file's folder, or among the models that
    come with the program.
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
    """Folder of JSON files that comes with the program: `models` or `jobs`."""
    installed = Path(__file__).parent / "assets" / folder
    return installed if installed.is_dir() else Path(__file__).parents[2] / folder
