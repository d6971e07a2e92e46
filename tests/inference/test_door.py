"""What a user imports: `load`, `read`, `classify`, `stream`, and what they give."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

import ecg_rhythm
from ecg_rhythm import BadInput, Prediction, Timeline
from ecg_rhythm.inference import names
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.records import ReadOptions, open_recording
from tests.helpers import onnx_model, predict, refusal

FS = 100.0
WAVE = np.sin(np.arange(3000) / 7)
GAPPY = np.concatenate([np.repeat([0.0, 1.0], 15_000), np.full(6000, np.nan), np.ones(9000)])


@pytest.fixture
def strip(tmp_path: Path) -> Path:
    np.savez(tmp_path / "strip.npz", ecg=np.r_[np.nan, np.nan, WAVE], fs=FS, unit="mV")
    return tmp_path / "strip.npz"


@pytest.fixture
def day(tmp_path: Path) -> Path:
    np.savez(tmp_path / "<day>.npz", ecg=GAPPY, fs=FS, unit="mV")
    return tmp_path / "<day>.npz"


def test_a_file_its_recording_and_its_samples_get_the_same_answer(meter: Classifier, strip: Path, day: Path) -> None:
    for path, kind in ((strip, Prediction), (day, Timeline)):
        answer, recording = ecg_rhythm.classify(path, meter), ecg_rhythm.read(path)
        assert isinstance(answer, kind) and answer.missing > 0
        assert (recording.name, recording.fs, recording.lead) == (path.stem, FS, answer.lead)
        path.unlink()  # it has been read
        assert ecg_rhythm.classify(recording, meter).as_dict() == answer.as_dict()
        of_samples = ecg_rhythm.classify(recording.signal, meter, fs=FS).as_dict()
        said = {"record": "", "lead": "", "reading": answer.reading.removeprefix("lead ECG, ")}
        assert of_samples == answer.as_dict() | said
        microvolts = ecg_rhythm.classify((1000 * recording.signal).tolist(), meter, fs=FS, unit="uV")
        assert microvolts.as_dict().keys() == of_samples.keys()
        np.testing.assert_allclose(numbers_of(microvolts), numbers_of(answer), atol=1e-5)


def numbers_of(answer: Prediction | Timeline) -> list[float]:
    """The probabilities of a prediction, the burdens of a timeline."""
    said = answer.as_dict()
    return list(said["probabilities" if isinstance(answer, Prediction) else "burden"].values())


def test_a_recording_has_its_signal_in_mv(strip: Path) -> None:
    recording = ecg_rhythm.read(str(strip))
    np.testing.assert_array_equal(recording.signal, np.r_[np.nan, np.nan, WAVE].astype(np.float32))
    assert recording.seconds == pytest.approx(30.02)
    np.save(strip.with_suffix(".npy"), np.column_stack([WAVE, 1000 * WAVE]))
    second = ecg_rhythm.read(strip.with_suffix(".npy"), lead=2, fs=FS, unit="uV")
    np.testing.assert_allclose(second.signal, WAVE, atol=1e-6)
    assert "there is no such file" in refusal(lambda: ecg_rhythm.read("nowhere.edf"))


def test_several_files_get_an_answer_or_a_reason_each(meter: Classifier, strip: Path, day: Path) -> None:
    bad = strip.with_name("bad.edf")
    bad.write_bytes(b"bad")
    files: list[Path] = [strip, bad, day]
    lists: list[Any] = [files, tuple(files), (path for path in files), [str(path) for path in files],
                        np.array([str(path) for path in files]), pd.Series([str(path) for path in files])]  # fmt: skip
    for several in lists:
        first, none, last = ecg_rhythm.classify(several, meter)
        assert first == ecg_rhythm.classify(strip, meter)
        assert isinstance(none, BadInput) and str(bad) in str(none)
        assert isinstance(last, Timeline) and last.record == "<day>"


def test_a_window_gives_a_timeline_of_what_is_longer(meter: Classifier, strip: Path) -> None:
    answer = ecg_rhythm.classify(strip, meter, window=10)
    assert isinstance(answer, Timeline) and answer.stride == 5
    assert isinstance(ecg_rhythm.classify(ecg_rhythm.read(strip), meter, window=10, stride=2), Timeline)
    assert "stride 40" in refusal(lambda: ecg_rhythm.classify(strip, meter, stride=40))


def test_a_prediction_has_its_reasons_if_asked(meter: Classifier, strip: Path, day: Path) -> None:
    burst = 10.0 * (np.arange(3000) // 200 == 5)
    assert predict(meter, burst, FS).because is None
    answer = ecg_rhythm.classify(burst, meter, fs=FS, why=True)
    assert isinstance(answer, Prediction) and answer.because
    assert any(start <= 11 <= end for start, end in answer.because)
    short, long = ecg_rhythm.classify([strip, day], meter, why=True)
    assert isinstance(short, Prediction) and short.because is not None and isinstance(long, Timeline)


def numbers() -> Iterator[float]:
    yield from WAVE


@pytest.mark.parametrize(
    ("source", "arguments", "says"),
    [
        (None, {}, "source: NoneType cannot be classified; give a file, a list of files, a recording or samples"),
        (3, {}, "source: int cannot be classified"),
        (b"strip.csv", {}, "source: bytes cannot be classified"),
        ({"ecg": WAVE}, {}, "source: dict cannot be classified"),
        (["a.csv", 3], {}, "source: 3 is not a path; give paths alone, or samples alone"),
        (WAVE, {}, "fs: give the sampling rate of the samples in Hz"),
        (WAVE, {"fs": "300"}, "fs '300': give the sampling rate as a number of Hz"),
        (WAVE, {"fs": 300, "lead": "II"}, "lead: samples are of a single lead; leave it out"),
        (WAVE, {"fs": 300, "unit": "kg"}, "which is no voltage"),
        ([WAVE], {"fs": 300}, "signal: expected one row of numbers in mV"),
        (pd.DataFrame({"ecg": WAVE}), {"fs": 300}, "signal: expected one row of numbers in mV"),
        ([0.1, "a.csv"], {"fs": 300}, "signal: expected one row of numbers in mV"),
        ([], {"fs": 300}, "signal: the recording is empty"),
        ("signal.csv", {}, "signal.csv: there is no such file"),
        (numbers(), {"fs": 100_000}, "signal: 0.03 s is too short"),
        (WAVE, {"fs": 300, "coverage": 0.9}, "coverage: the model is loaded already; give the coverage to `load`"),
    ],
)
def test_what_cannot_be_classified_is_refused_in_a_sentence(
    meter: Classifier, source: Any, arguments: dict[str, Any], says: str
) -> None:
    assert says in refusal(lambda: ecg_rhythm.classify(source, meter, **arguments))


def test_what_has_been_read_takes_no_options_of_reading(meter: Classifier, strip: Path) -> None:
    recording = ecg_rhythm.read(strip)
    options: list[dict[str, Any]] = [{"lead": 1}, {"fs": 200}, {"unit": "uV"}]
    for option in options:
        (name,) = option
        message = refusal(partial(ecg_rhythm.classify, recording, meter, **option))
        assert message == f"{name}: the recording has been read already; give {name} to `read`"


def test_models_are_named_loaded_or_several(tmp_path: Path, strip: Path) -> None:
    model = onnx_model(tmp_path / "m.onnx")
    by_path = ecg_rhythm.classify(strip, model)
    assert by_path == ecg_rhythm.classify(strip, ecg_rhythm.load(str(model)))
    vote = ecg_rhythm.classify(strip, [model, model])
    np.testing.assert_allclose(numbers_of(vote), numbers_of(by_path))
    assert "there is no such model" in refusal(lambda: ecg_rhythm.classify(strip, "none"))


def test_a_live_signal_is_classified_as_it_arrives(meter: Classifier) -> None:
    live = ecg_rhythm.stream(FS, meter, window=10)
    assert live.push(np.ones(999)) == []
    (decision,) = live.push([1.0])
    assert (decision.start, decision.end, decision.label) == (0, 10, "A")


def test_a_notebook_shows_the_picture_of_an_answer_or_its_text(
    meter: Classifier, strip: Path, day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ecg_rhythm.classify([strip, day], meter)
    for answer in answers:
        assert not isinstance(answer, BadInput)
        html = ElementTree.fromstring(answer._repr_html_())
        assert html.findall(".//{http://www.w3.org/2000/svg}svg")
        assert "not a medical device" in "".join(html.itertext())
        answer.plot(tmp_path / "answer.png")
        assert (tmp_path / "answer.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for answer in answers:
        assert not isinstance(answer, BadInput)
        html = ElementTree.fromstring(answer._repr_html_())
        assert not html.findall(".//{http://www.w3.org/2000/svg}svg")
        assert f"{answer.record}: " in "".join(html.itertext()) and "not a medical device" in "".join(html.itertext())
        assert "pip install" in refusal(partial(answer.plot, tmp_path / "none.png"))


def test_an_answer_can_be_plotted_as_a_figure(
    meter: Classifier, strip: Path, day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (strip, day):
        answer = ecg_rhythm.classify(path, meter)
        figure = answer.plot(tmp_path / "answer.pdf")
        assert isinstance(figure, Figure) and path.stem in figure.axes[0].get_title(loc="left")
        assert (tmp_path / "answer.pdf").read_bytes().startswith(b"%PDF")
        assert not pyplot.get_fignums()  # nothing piles up
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert refusal(answer.plot).startswith("a picture needs matplotlib, which is not installed; `pip install")
    assert "a picture needs the signal" in refusal(replace(predict(meter, WAVE, FS), signal=None).plot)


def test_an_answer_shows_in_a_line_what_it_says(meter: Classifier, strip: Path, day: Path) -> None:
    short, long = ecg_rhythm.classify([strip, day], meter)
    assert isinstance(short, Prediction) and isinstance(long, Timeline)
    beats = f"{short.heart_rate:.0f} beats/min"
    assert repr(short) == f"<Prediction of strip: N normal, probability 1.00, {beats}; {short.reading}>"
    shares = f"N normal {long.burden('N'):.1%}, A atrial fibrillation {long.burden('A'):.1%}"
    assert repr(long) == f"<Timeline of <day>: {shares}, unreadable {long.unreadable:.1%}; {long.reading}>"
    of_samples = ecg_rhythm.classify(np.ones(300), meter, fs=FS)
    assert repr(of_samples) == "<Prediction of a signal: A atrial fibrillation, probability 1.00; 100 Hz, 3 s>"


def test_letters_of_other_sets_have_no_names() -> None:
    assert names.named("A", ["N", "A", "~"]) == "A atrial fibrillation"
    assert names.named("A", ["N", "A", "V"]) == "A"  # atrial premature beats, in the MIT-BIH database
    assert names.fibrillation_in(["A", "N"]) == "A"
    assert names.fibrillation_in(["SR", "A"]) is None


def test_the_files_of_a_manifest_get_an_answer_or_a_reason_each(
    meter: Classifier, strip: Path, day: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "leads.npy", np.column_stack([WAVE, 1000 * WAVE]))
    leads = ("3", "leads.npy", FS, "uV", 2)
    files = [("1", "strip.npz"), ("2", "none.edf"), leads, ("4", "leads.npy"), ("5", "<day>.npz")]
    rows = [("patient", "file", "fs", "unit", "lead"), *files]
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", header=False, index=False)
    with pytest.warns(UserWarning, match="not used: patient"):
        answers = ecg_rhythm.classify_manifest(tmp_path / "m.csv", meter, fs=200, unit="mV")
    first, none, second, other, last = answers
    assert str(none).startswith(f"{tmp_path}/m.csv, line 3: {tmp_path}/none.edf: there is no such file")
    for answer, alone in (
        (first, ecg_rhythm.classify(strip, meter, fs=200)),
        (second, ecg_rhythm.classify(tmp_path / "leads.npy", meter, fs=FS, unit="uV", lead=2)),
        (other, ecg_rhythm.classify(tmp_path / "leads.npy", meter, fs=200, unit="mV")),
        (last, ecg_rhythm.classify(day, meter, fs=200)),
    ):
        assert not isinstance(answer, BadInput)
        assert answer.reading == alone.reading
        np.testing.assert_allclose(numbers_of(answer), numbers_of(alone), atol=1e-6)


@pytest.mark.parametrize("path", [None, 5, b"x"])
def test_what_is_no_path_is_refused(meter: Classifier, path: Any) -> None:
    for call in (partial(ecg_rhythm.read, path), partial(ecg_rhythm.classify_manifest, path, meter)):
        assert refusal(call).endswith(" is no path; give it as text or as a Path")


def test_numbers_of_any_size_are_refused_in_a_sentence(meter: Classifier, strip: Path) -> None:
    for huge in (10**400, 10**5000, -(10**400)):
        for option in ("window", "stride", "join", "shortest", "workers", "fs"):
            assert option.replace("fs", "rate") in refusal(partial(ecg_rhythm.classify, strip, meter, **{option: huge}))
            if option != "workers":
                live = {"fs": FS, option: huge}
                assert f"{option} " in refusal(partial(ecg_rhythm.stream, model=meter, **live))
        assert "there is no lead" in refusal(partial(ecg_rhythm.read, strip, lead=huge))
        assert "expected one row of numbers" in refusal(partial(ecg_rhythm.stream(FS, meter).push, [huge]))
        assert "expected one row of numbers" in refusal(partial(ecg_rhythm.classify, [huge], meter, fs=FS))


def test_json_holds_no_signal(meter: Classifier, strip: Path) -> None:
    assert "signal" not in json.loads(json.dumps(ecg_rhythm.classify(strip, meter).as_dict()))


def test_importing_it_loads_no_numpy_and_its_classes_are_there() -> None:
    code = (
        "import ecg_rhythm as e, sys; heavy = {'numpy', 'onnxruntime', 'torch', 'pydantic'} & {*sys.modules}; "
        "print(sorted(heavy), e.Prediction.__name__, e.Timeline.__name__, e.BadInput.__name__)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "[] Prediction Timeline BadInput\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ecg_rhythm.nothing  # type: ignore[attr-defined, unused-ignore]
    assert set(ecg_rhythm.__all__) <= set(dir(ecg_rhythm))


def test_a_recording_of_the_reading_wing_can_be_classified(meter: Classifier, strip: Path) -> None:
    answer = ecg_rhythm.classify(strip, meter)
    assert ecg_rhythm.classify(open_recording(strip, ReadOptions()), meter) == answer
    assert isinstance(answer, Prediction) and answer.signal is not None
    assert ecg_rhythm.classify(answer.signal, meter) == answer
