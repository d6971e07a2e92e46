from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from sklearn import metrics

from ecg_rhythm import checksums
from ecg_rhythm.evaluation import significance
from ecg_rhythm.experiments import publishing, report, results
from ecg_rhythm.experiments.report import inputs
from ecg_rhythm.experiments.run import train
from scripts.site import Loaded
from tests.helpers import model, refusal, small_store, spec

PUBLISHED = Path(__file__).parents[2] / "results"
COMMAND = ["ecg-rhythm", "report", "results"]


class Page(HTMLParser):
    """What a report has in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.inner: list[str] = []
        self.tables: dict[str, list[dict[str, str]]] = {}
        self.said = ""
        self.feed(self.text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        values = {name: value or "" for name, value in attributes}
        self.ids += [values["id"]] if "id" in values else []
        if tag == "a" and values["href"].startswith("#"):
            self.inner.append(values["href"][1:])
        if "download" in values:
            content = base64.b64decode(values["href"].partition("base64,")[2]).decode()
            self.tables[values["download"]] = list(csv.DictReader(io.StringIO(content)))

    def handle_data(self, data: str) -> None:
        self.said += data


def written(paths: list[Path], folder: Path, data: Path | None = None, **options: str) -> Page:
    report.write(paths, folder / "report.html", data or folder / "none", COMMAND, **options)  # type: ignore[arg-type]
    return Page(folder / "report.html")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Page:
    measured = PUBLISHED / "robustness_default.json"
    paths = [PUBLISHED / "features", PUBLISHED / "default", PUBLISHED / "minirocket", measured]
    return written(paths, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def jobs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    logs = tmp_path_factory.mktemp("logs")
    for job, rate in (("slow", 0.001), ("fast", 0.01)):
        config = model(training_parameters__epochs=[2], training_parameters__learning_rate=rate)
        for fold in (0, 1):
            train(spec(config, fold, job), data, logs, device="cpu")
    return logs


def test_a_report_is_one_file_that_loads_nothing_and_runs_nothing(published: Page) -> None:
    loaded = Loaded()
    loaded.feed(published.text)
    assert [address for address in loaded.addresses if not address.startswith("data:")] == []
    assert "url(http" not in published.text and "@import" not in published.text
    assert published.tags["script"] == 0 and published.tags["style"] == 1
    assert "default-src 'none'" in published.text
    assert len(published.text.encode()) < 5e6


def test_its_links_lead_somewhere_and_its_names_are_unique(published: Page) -> None:
    assert set(published.inner) <= set(published.ids)
    assert [name for name, times in Counter(published.ids).items() if times > 1] == []
    references = set(re.findall(r'(?:url\(#|href="#)([\w-]+)', published.text))
    assert references <= set(published.ids)


def test_the_figures_behind_the_pictures_are_those_of_scikit_learn(published: Page) -> None:
    _, predictions = results.read(PUBLISHED / "default")
    classes = predictions.classes
    expected = metrics.confusion_matrix(predictions.targets, predictions.labels)
    found = {
        (row["true"], row["predicted"]): int(row["recordings"])
        for row in published.tables["confusion.csv"]
        if row["configuration"] == "default"
    }
    assert found == {(a, b): expected[i, j] for i, a in enumerate(classes) for j, b in enumerate(classes)}
    for position, label in enumerate(classes):
        points = [
            (float(list(row.values())[2]), float(list(row.values())[3]))
            for row in published.tables["roc.csv"]
            if (row["configuration"], row["class"]) == ("default", label)
        ]
        area = metrics.roc_auc_score(predictions.targets == position, predictions.probabilities[:, position])
        assert metrics.auc(*np.array(points).T) == pytest.approx(area, abs=0.002)


def test_it_says_which_is_best_whether_that_is_real_where_it_fails_and_what_it_costs(published: Page) -> None:
    tables = {name: results.read(PUBLISHED / name)[1] for name in ("default", "features", "minirocket")}
    pairs = significance.pairs(tables, dict.fromkeys(tables, 5))
    assert [row["first"] for row in published.tables["differences.csv"]] == [pair.first for pair in pairs]
    for row, pair in zip(published.tables["differences.csv"], pairs, strict=True):
        assert float(row["p over folds"]) == pytest.approx(pair.difference.p, abs=1e-6)
    for sentence in (
        "default has the highest challenge score of 3 configurations: 0.850 ± 0.008 over 5 folds",
        "it is better than",
        "corrected for the 3 pairs shown, each test apart (Holm 1979)",
        "What could these 5 folds show?",
        "Its lowest F1 is that of ~ too noisy",
        "Of the perturbations, baseline wander 10 sd costs most",
        "35.3 minutes of training per fold",
        "Strips are absent: there is no packed data set in",
        "A published result keeps no learning curves",
        "ecg-rhythm evaluate",
        "ecg-rhythm report results",
    ):
        assert sentence in published.said, sentence


def test_jobs_have_learning_curves_strips_and_the_seconds_that_mattered(jobs: Path, data: Path, tmp_path: Path) -> None:
    page = written([jobs], tmp_path, data)
    rows = page.tables["learning_CNN_fast_0.csv"]
    assert {row["fold"] for row in rows} == {"0", "1"}
    assert {row["what"] for row in rows} == {"validation score", "training loss"}
    assert "var(--shade)" in page.text.partition("</style>")[2]
    assert "Shaded: the seconds that influenced the prediction most" in page.said
    assert {row["parameters"] for row in page.tables["cost.csv"]} != {""}
    models = {row["key"]: row for row in page.tables["models.csv"]}
    assert models["training_parameters.learning_rate"]["CNN/slow"] == "0.001"
    assert "another data set" in written([jobs], tmp_path, _other(tmp_path)).said


def _other(folder: Path) -> Path:
    small_store(folder / "other", n=30)
    return folder / "other"


@pytest.mark.parametrize(("name", "taught"), [("CNN_distilled", True), ("CNN_short", False)])
def test_a_published_result_says_whether_it_learned_from_a_teacher(name: str, taught: bool) -> None:
    assert inputs.read(PUBLISHED / name).teacher == taught


def test_a_job_that_lacks_folds_says_so_and_one_fold_is_not_tested_over_folds(
    jobs: Path, data: Path, tmp_path: Path
) -> None:
    shutil.copytree(jobs, tmp_path / "logs")
    (tmp_path / "logs" / "CNN" / "slow" / "fold1" / "scores.json").unlink()
    page = written([tmp_path / "logs"], tmp_path, data)
    (slow,) = [row for row in page.tables["scores.csv"] if row["configuration"] == "CNN/slow"]
    assert slow["folds"] == "1 of 2"
    assert "With a single fold, a test over folds is not possible" in page.said


def test_folds_that_can_show_no_difference_say_so(jobs: Path, data: Path, tmp_path: Path) -> None:
    page = written([jobs], tmp_path, data)
    visible = {row["smallest visible"] for row in page.tables["differences.csv"]}
    assert "none" in visible
    assert all(float(value) < 1 for value in visible - {"none", ""})


def test_a_damaged_job_is_left_out_and_said(jobs: Path, tmp_path: Path) -> None:
    shutil.copytree(jobs, tmp_path / "logs")
    (tmp_path / "logs" / "CNN" / "slow" / "fold1" / "predictions.csv").write_text("x")
    (problem,) = report.write([tmp_path / "logs"], tmp_path / "r.html", tmp_path, COMMAND)
    assert "predictions.csv" in problem and "Left out: " in Page(tmp_path / "r.html").said
    assert "predictions.csv" in refusal(
        lambda: report.write([tmp_path / "logs" / "CNN" / "slow"], tmp_path / "s.html", tmp_path, COMMAND)
    )


def test_damaged_weights_leave_the_report_whole(jobs: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(jobs / "CNN" / "slow", tmp_path / "CNN" / "slow")
    for weights in (tmp_path / "CNN" / "slow").glob("fold*/*.safetensors"):
        weights.write_bytes(b"x" * 20)
    assert "The seconds that influenced the prediction are absent: " in written([tmp_path], tmp_path, data).said


def test_what_is_damaged_is_left_out_wherever_it_is_named(tmp_path: Path) -> None:
    shutil.copytree(PUBLISHED / "features", tmp_path / "features")
    (tmp_path / "features" / "predictions.csv").write_text("x")
    (tmp_path / "robustness_x.json").write_text("[]")
    (tmp_path / "searches" / "rates").mkdir(parents=True)
    (tmp_path / "searches" / "rates" / "trials.csv").write_text("trial,state\nx,y\n")
    paths = [tmp_path / "features", PUBLISHED / "minirocket", tmp_path, tmp_path / "searches"]
    problems = report.write(paths, tmp_path / "r.html", tmp_path, COMMAND)
    page = Page(tmp_path / "r.html")
    assert [row["configuration"] for row in page.tables["scores.csv"]] == ["minirocket"]
    for name in ("predictions.csv", "robustness_x.json", "trials.csv"):
        assert any(name in problem for problem in problems) and name in page.said
    assert len(problems) == len(set(problems))


def test_configurations_of_other_data_are_compared_apart(jobs: Path, tmp_path: Path) -> None:
    page = written([jobs, PUBLISHED / "features"], tmp_path)
    assert [row["configuration"] for row in page.tables["scores_2.csv"]] == ["features"]
    assert {row["configuration"] for row in page.tables["scores_1.csv"]} == {"CNN/slow", "CNN/fast"}
    assert set(page.inner) <= set(page.ids)


def test_what_a_title_says_does_nothing_to_the_page(jobs: Path, data: Path, tmp_path: Path) -> None:
    bad = "<script>alert(1)</script> & | `$x_1$` \\input{y} \x1b[31m"
    for job in ("slow", "fast"):
        publishing.publish([jobs / "CNN" / job], tmp_path / job, "x", data)
    results.vote([tmp_path / "slow", tmp_path / "fast"], tmp_path / "vote_%", bad)
    page = written([tmp_path / "vote_%", tmp_path / "slow"], tmp_path, title=bad)
    assert page.tags["script"] == 0 and "\x1b" not in page.text
    report.write([tmp_path / "vote_%"], tmp_path / "r.md", data, COMMAND, kind="markdown", title=bad)
    assert "<script" not in MarkdownIt("commonmark").render((tmp_path / "r.md").read_text())
    report.write([tmp_path / "vote_%"], tmp_path / "t.tex", data, COMMAND, kind="latex", title=bad)
    compiled(tmp_path / "t.tex")


def test_markdown_has_all_pictures_and_tables(jobs: Path, data: Path, tmp_path: Path) -> None:
    report.write([jobs], tmp_path / "r.md", data, COMMAND, kind="markdown")
    page = MarkdownIt("commonmark").enable("table").render((tmp_path / "r.md").read_text())
    files = set(re.findall(r'(?:src|href)="([^"]+)"', page))
    assert {file.name for file in (tmp_path / "r_files").iterdir()} == {Path(file).name for file in files}
    assert page.count("<table>") >= 9
    widths = [len(re.findall("<t[dh]", row)) for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    assert min(widths) > 1
    says = refusal(lambda: report.write([jobs], tmp_path / "r.md", data, COMMAND, kind="markdown"))
    assert "r_files: exists already" in says


def test_latex_compiles(jobs: Path, data: Path, tmp_path: Path) -> None:
    report.write([jobs], tmp_path / "r.tex", data, COMMAND, kind="latex")
    text = (tmp_path / "r.tex").read_text()
    for file in re.findall(r"includegraphics\[[^]]*\]\{([^}]+)\}", text):
        assert (tmp_path / file).exists()
    compiled(tmp_path / "r.tex")


def compiled(path: Path) -> None:
    """Compile where that is possible; else compare braces."""
    text = path.read_text()
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    if (latex := shutil.which("pdflatex")) is None:
        return
    done = subprocess.run(
        [latex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_trials_of_a_search_are_shown(jobs: Path, tmp_path: Path) -> None:
    table = tmp_path / "logs" / "searches" / "rates" / "trials.csv"
    table.parent.mkdir(parents=True)
    table.write_text(
        "trial,state,validation score,training_parameters.learning_rate,training_parameters.optimizer,error\n"
        "0,complete,0.5,0.001,adam,\n1,pruned,,0.1,muon,\n2,complete,0.7,0.01,adamw,\n"
    )
    assert "there is no result" in refusal(lambda: written([tmp_path / "logs"], tmp_path))  # only if asked for
    page = written([tmp_path / "logs" / "searches"], tmp_path)
    assert "2 of 3 trials have a validation score" in page.said
    assert [row["trial"] for row in page.tables["search_rates.csv"]] == ["2", "0", "1"]
    table.write_text("trial,state\nx,y\n")
    assert "no table of a search's trials" in refusal(lambda: written([table.parent], tmp_path))


def test_what_is_no_result_is_refused_in_a_sentence(jobs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there is no result, finished job" in refusal(lambda: written([tmp_path / "empty"], tmp_path))
    assert "there is no result, finished job" in refusal(lambda: written([tmp_path / "nowhere"], tmp_path))
    for content in ("[]", "{", json.dumps({"rows": [{"perturbation": "x"}]})):
        (tmp_path / "robustness_x.json").write_text(content)
        assert "robustness --to" in refusal(lambda: written([tmp_path / "robustness_x.json"], tmp_path))
    measured = json.loads((PUBLISHED / "robustness_default.json").read_text())
    (tmp_path / "robustness_x.json").write_text(checksums.sealed(measured).replace("recordings", "recordimgs"))
    assert "its checksum does not fit" in refusal(lambda: written([tmp_path / "robustness_x.json"], tmp_path))
    assert "choose one of html, markdown, latex" in refusal(lambda: written([jobs], tmp_path, kind="pdf"))
    assert not (tmp_path / "report.html").exists()
