"""What `classify` writes beside the answers: pictures, annotations and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path

from ecg_rhythm import records
from ecg_rhythm.cli.console import note
from ecg_rhythm.cli.outputs import refuse_folder_of_inputs
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import holter, plots
from ecg_rhythm.inference.annotating import annotate_into, check_kind
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.blocks import File


@dataclass
class Beside:
    """What the user asked for beside the answers.

    Attributes
    ----------
    plot, report, annotations : Path or None
        The folder of pictures, the file of the report, the folder of annotations.
    annotations_format : str
        As `annotating.check_kind` knows it.
    """

    plot: Path | None
    report: Path | None
    annotations: Path | None
    annotations_format: str
    _drawn: dict[Path, int] = field(default_factory=dict)
    _annotated: dict[Path, int] = field(default_factory=dict)
    _reported: list[tuple[File, Timeline]] = field(default_factory=list)
    _short: int = 0

    def __bool__(self) -> bool:
        """Whether anything is to be written."""
        return any((self.plot, self.report, self.annotations))

    def check(self, files: Sequence[File]) -> None:
        """Refuse, before anything is classified, what cannot be written, or would replace one of the files."""
        if self.annotations is not None:
            refuse_folder_of_inputs("--annotations", self.annotations, (Path(file.path) for file in files))
        check_kind(self.annotations_format)
        if self.plot is not None:
            plots.check(self.plot)
        if self.report is None:
            return
        holter.check(self.report)
        if once := [file.path for file in files if records.size_on_disk(Path(file.path)) == inf]:
            raise BadInput(
                f"--report: {once[0]} can be read only once, a report needs it twice; save it as a file first"
            )

    def take(self, file: File, answer: Prediction | Timeline) -> None:
        """Draw and annotate an answer; those of long recordings are kept for the report."""
        if self.plot is not None:
            plots.draw_into(self.plot, answer, self._drawn)
        if self.annotations is not None and isinstance(answer, Timeline):
            annotate_into(self.annotations, self.annotations_format, answer, self._annotated)
        if self.report is not None and isinstance(answer, Timeline):
            self._reported.append((file, answer))
        self._short += not isinstance(answer, Timeline)

    def finish(self) -> None:
        """Write the report."""
        if self.report is None:
            return
        if not self._reported:
            raise BadInput(f"--report {self.report}: not written, as no recording was classified in windows")
        if self._short:
            note(f"--report {self.report}: without the {self._short} that were not classified in windows")
        holter.write(self.report, [holter.Sheet(answer, partial(_opened, file)) for file, answer in self._reported])


def _opened(file: File) -> records.Recording:
    """Open a file again that has been read."""
    assert not isinstance(file.options, BadInput), "it was classified"
    return records.open_recording(file.path, file.options)  # type: ignore[arg-type]
