"""A trained network -> one ONNX file, with its preprocessing inside and all that is known of it."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch.export import Dim

from ecg_rhythm import files, networks
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks.blocks.recurrent import OPSET
from ecg_rhythm.warned import heard
from ecg_rhythm.weights import onnx_file, onnx_model
from ecg_rhythm.weights.metadata import KEY, Metadata
from ecg_rhythm.weights.onnx_session import LENGTHS, LOGITS, SAMPLES_STEP, SIGNALS

CLOSE = 1e-4
"""Largest difference of a probability between the file and the network."""


def export(network: networks.Network, metadata: Metadata, path: Path) -> float:
    """Write a network as ONNX and make sure that the file gives the same probabilities.

    Parameters
    ----------
    network : Network
        Signals in mV and lengths -> logits; on the CPU.
    metadata : Metadata
        What the file will say of itself.
    path : Path
        File to write.

    Returns
    -------
    float
        Largest difference of a probability, over noise of several lengths.

    Raises
    ------
    BadInput
        If the network cannot be exported, or the file gives other probabilities.
    """
    network.eval()
    batch, blocks = Dim("batch", min=1, max=1 << 16), Dim("blocks", min=1, max=1 << 20)
    signals, lengths = _noise(3, 2 * SAMPLES_STEP)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with heard():
            program = torch.onnx.export(
                network,
                (signals, lengths),
                input_names=[SIGNALS, LENGTHS],
                output_names=[LOGITS],
                dynamic_shapes=({0: batch, 1: SAMPLES_STEP * blocks}, {0: batch}),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise _refused(path, error.__cause__ or error) from None
    assert program is not None
    program.model.metadata_props[KEY] = metadata.model_dump_json()
    with files.replacing(path) as temporary:
        program.save(temporary)
        temporary.write_bytes(onnx_file.sealed(temporary.read_bytes()))
        try:
            model = onnx_model.load(temporary)
            difference = _difference(network, model)
        except Exception as error:  # the library's errors have no common base
            raise _refused(path, error) from None
        if difference > CLOSE:
            raise BadInput(f"{path}: the exported network differs by {difference:.1e} in a probability; export no such")
    return difference


def _refused(path: Path, error: BaseException) -> BadInput:
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    return BadInput(f"{path}: ONNX cannot hold this network for signals of any length: {why}")


def _noise(count: int, samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise of several lengths, padded."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.linspace(samples, samples // 2, count).long()
    signals = torch.randn(count, samples, generator=generator) * (torch.arange(samples) < lengths[:, None])
    return signals, lengths


@torch.inference_mode()
def _difference(network: networks.Network, model: onnx_model.OnnxModel) -> float:
    furthest = 0.0
    for count, blocks in ((1, 2), (4, 7), (2, 18)):
        signals, lengths = _noise(count, blocks * SAMPLES_STEP)
        expected = network(signals, lengths).softmax(dim=1)
        given = torch.from_numpy(model.logits(signals.numpy(), lengths.numpy())).softmax(dim=1)
        furthest = max(furthest, float((expected - given).abs().max()))
    return furthest
