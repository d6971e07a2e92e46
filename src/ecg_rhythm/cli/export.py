"""The verb that writes a trained network as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecg_rhythm import files
from ecg_rhythm.cli.console import USE, Data, app, out
from ecg_rhythm.errors import BadInput


@app.command(short_help="Write a trained network as an ONNX file.", rich_help_panel=USE)
def export(
    source: Annotated[Path, typer.Argument(help="Weights file, or folder of a finished run.")],
    to: Annotated[Path, typer.Option(help="ONNX file to write.")],
    calibrate: Annotated[
        Path | None, typer.Option(help="Published result of the same model, to calibrate with its predictions.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute convolutions with 8-bit integers: faster, a little less exact.")
    ] = False,
    data: Data = Path("data"),
) -> None:
    """Write a trained network as one ONNX file, which `classify` runs without torch."""
    from ecg_rhythm.experiments import results
    from ecg_rhythm.weights import export as exporting
    from ecg_rhythm.weights import torch_model
    from ecg_rhythm.weights.loading import weights_of
    from ecg_rhythm.weights.run_files import RunFiles

    weights = weights_of(source)
    if len(weights) > 1:
        raise BadInput(f"{source}: this is a job of {len(weights)} networks; name one of its folds")
    if to.suffix != ".onnx":
        raise BadInput(f"--to {to}: name a file that ends in .onnx")
    network, metadata = torch_model.load(weights[0])
    calibrated = ""
    if calibrate is not None:
        fitted = results.calibration_of(calibrate, metadata.config, metadata.classes)
        metadata = metadata.model_copy(update={"calibration": fitted})
        calibrated = f"; calibrated with {fitted.folds} folds"
    if int8:
        from ecg_rhythm.experiments.run import training_recordings
        from ecg_rhythm.weights import quantise

        recordings = training_recordings(RunFiles(weights[0].parent), data, quantise.RECORDINGS)
        with files.temporary_folder() as folder:
            exact = Path(folder) / to.name
            exporting.export(network, metadata, exact)
            difference = f"by {quantise.quantise(exact, recordings, to):.1e} on average"
    else:
        difference = f"by at most {exporting.export(network, metadata, to):.0e}"
    out.print(
        f"{to}: {to.stat().st_size / 1e6:.1f} MB; its probabilities differ from the network's {difference}{calibrated}",
        highlight=False,
        soft_wrap=True,
    )
