"""Which surviving mutants count as equivalent."""

from __future__ import annotations

from pathlib import Path

from scripts import mutation

DIFF = """\
# ecg_rhythm.evaluation.metrics.x_f1__mutmut_15: survived
--- src/ecg_rhythm/evaluation/metrics.py
+++ src/ecg_rhythm/evaluation/metrics.py
@@ -1,3 +1,3 @@
 def f1(confusion):
-    values = 2 / np.maximum(counted, 1)
+    values = 2 / np.maximum(counted, 2)
""".splitlines()


def test_a_mutant_is_known_by_the_line_it_puts_in() -> None:
    assert mutation.changed(DIFF) == ["values = 2 / np.maximum(counted, 2)"]


def test_a_mutant_that_takes_a_line_out_is_known_by_that() -> None:
    assert mutation.changed(DIFF[:-1]) == ["-    values = 2 / np.maximum(counted, 1)"]


def test_what_the_page_lists_is_equivalent(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```text\n    values = 2 / np.maximum(counted, 2)\n```\n")
    equivalent = mutation.listed(tmp_path / "page.md")
    assert mutation.is_equivalent(DIFF, equivalent)
    assert not mutation.is_equivalent(DIFF[:-1], equivalent)
    assert not mutation.is_equivalent([], equivalent)
    assert mutation.listed()
