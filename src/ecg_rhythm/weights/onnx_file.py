"""The bytes of an ONNX file: what is refused before ONNX Runtime sees it, and the hash at its end.

protobuf, which ONNX Runtime brings, reads the few fields of the format that are needed here. The package onnx, which
knows all of them, is ten times as large.

References
----------
ONNX, `onnx/onnx.proto` (names and numbers of the fields).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from ecg_rhythm.errors import BadInput
from ecg_rhythm.weights.metadata import HASH, KEY, say_it_has_no_hash

MOST_BYTES, MOST_NODES, MOST_ENTRIES = 1 << 30, 20_000, 100
"""Size of the largest file that is read, its operations, and the entries of its metadata."""
BY = "use a file that `ecg-rhythm export` wrote"

OPERATORS = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BitShift
    BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu Clip Compress Concat Constant
    ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum DFT DepthToSpace DequantizeLinear Div Dropout
    DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu
    Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HammingWindow
    HannWindow HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization
    LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean
    MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow QLinearConv
    QLinearMatMul QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence
    RotaryEmbedding Round STFT ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax
    Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu
    Unsqueeze Where Xor
    """
"""Operators of networks: from tensors of numbers to such, without chance. Left out is what repeats a graph, draws
random numbers or makes texts and lists, whose memory has no limit."""

FIELDS = {
    "Entry": "key:1:string value:2:string",
    "Text": "",
    "Tensor": "external:13*:Text place:14:int32",
    "Attribute": "name:1:string t:5:Tensor g:6:Text tensors:10*:Tensor graphs:11*:Text "
    "sparse:22:Text sparses:23*:Text reference:21:string",
    "Node": "operator:4:string attributes:5*:Attribute domain:7:string",
    "Graph": "nodes:1*:Node initializers:5*:Tensor sparse:15*:Text",
    "Model": "graph:7:Graph metadata:14*:Entry functions:25*:Text",
}
"""Messages of the format: name:number:type of those fields that are looked at; * marks lists."""
PACKAGE = "ecg_rhythm.onnx"


@cache
def _kind(name: str) -> Any:
    """The class of a message."""
    scalars = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{PACKAGE}.proto", package=PACKAGE)
    for message, fields in FIELDS.items():
        described = file.message_type.add(name=message)
        for field, number, kind in (text.split(":") for text in fields.split()):
            of = {"string": scalars.TYPE_BYTES, "int32": scalars.TYPE_INT32}.get(kind, scalars.TYPE_MESSAGE)
            described.field.add(
                name=field,
                number=int(number.rstrip("*")),
                type=of,
                type_name=f".{PACKAGE}.{kind}" if of == scalars.TYPE_MESSAGE else None,
                label=scalars.LABEL_REPEATED if number.endswith("*") else scalars.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def read(path: Path) -> tuple[bytes, str]:
    """Read an ONNX file; gives its content and what it says of itself.

    Raises
    ------
    BadInput
        If it is missing, damaged or not from this program, or could do anything but compute a network.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such ONNX file; check the name")
    if path.stat().st_size > MOST_BYTES:
        raise BadInput(f"{path}: this has more than {MOST_BYTES >> 30} GiB, which no network here has; {BY}")
    content = path.read_bytes()
    try:
        model = _kind("Model").FromString(content)
    except DecodeError:
        raise BadInput(f"{path}: this is not an ONNX file, or a damaged one; get a new copy") from None
    entries = [(entry.key, entry.value) for entry in model.metadata]
    about = dict(entries)
    if len(entries) > MOST_ENTRIES or len(about) < len(entries):
        raise BadInput(f"{path}: its metadata have {len(entries)} entries, some of them twice or too many; {BY}")
    if KEY.encode() not in about:
        raise BadInput(f"{path}: this ONNX file does not describe an ECG model; use one that `ecg-rhythm export` wrote")
    if HASH.encode() in about and not content.endswith(_seal(content[:-SEAL_BYTES])):
        raise BadInput(
            f"{path}: this is damaged: it is not what was exported, as its hash tells; get a new copy, or export it "
            "again"
        )
    for why in _refused(model):
        raise BadInput(f"{path}: {why}; {BY}")
    if HASH.encode() not in about:
        say_it_has_no_hash(path)
    return content, about[KEY.encode()].decode(errors="replace")


def _refused(model: Any) -> Iterator[str]:
    """What a file must not have."""
    graph, operators = model.graph, frozenset(OPERATORS.split())
    if len(graph.nodes) > MOST_NODES:
        yield f"it has {len(graph.nodes):,} operations, and {MOST_NODES:,} are the most that a network may have"
    if model.functions:
        yield "it defines operators of its own, which are not run"
    attributes = [attribute for node in graph.nodes for attribute in node.attributes]
    for node in graph.nodes:
        if node.domain not in (b"", b"ai.onnx") or node.operator.decode(errors="replace") not in operators:
            name = ".".join(part.decode(errors="backslashreplace") for part in (node.domain, node.operator) if part)
            yield f"it uses the operator {name[:60]!a}, which is none of a network"
    if any(attribute.HasField("g") or attribute.graphs for attribute in attributes):
        yield "it has graphs within its graph, such as loops, which are not run"
    tensors = [*graph.initializers, *(t for a in attributes for t in (a.t, *a.tensors))]
    if any(tensor.external or tensor.place for tensor in tensors):
        yield "some of its weights are in another file"
    if graph.sparse or any(attribute.HasField("sparse") or attribute.sparses for attribute in attributes):
        yield "it has sparse tensors, whose size nothing limits"


def sealed(content: bytes) -> bytes:
    """The content of an ONNX file, with the hash of it at its end: one more entry of the metadata, in place of any."""
    model = _kind("Model").FromString(content)
    if old := [i for i, entry in enumerate(model.metadata) if entry.key == HASH.encode()]:
        for i in reversed(old):
            del model.metadata[i]
        content = model.SerializeToString()
    return content + _seal(content)


def _seal(content: bytes) -> bytes:
    """The entry of the metadata that holds a content's hash; messages of this format can be joined."""
    entry = {"key": HASH.encode(), "value": hashlib.sha256(content).hexdigest().encode()}
    sealed: bytes = _kind("Model")(metadata=[entry]).SerializeToString()
    return sealed


SEAL_BYTES = len(_seal(b""))
