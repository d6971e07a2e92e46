"""How the environment is made: with the indexes that pip uses, and one sentence if that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import install

ROOT = Path(__file__).parents[2]


def listed(configuration: Path, **environment: str) -> str:
    """What pip itself says of a configuration file and variables."""
    without = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=without | {"PIP_CONFIG_FILE": str(configuration)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def compiled(folder: Path, *options: str, offline: bool = True) -> subprocess.CompletedProcess[str]:
    """What uv finds for the one requirement `heart`, which no index has."""
    (folder / "wanted.txt").write_text("heart\n")
    command = [*install.UV, "compile", "--quiet", "--no-header", "--no-annotate", *options, "wanted.txt"]
    variables = {"UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(folder / "cache")} | (
        {"UV_OFFLINE": "1"} if offline else {}
    )
    return subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False)


def wheel(folder: Path) -> Path:
    """An empty package, `heart`."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "heart-1.2-py3-none-any.whl", "w") as file:
        file.writestr("heart-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: heart\nVersion: 1.2\n")
        file.writestr("heart-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("heart-1.2.dist-info/RECORD", "")
    return folder


def test_uv_finds_what_pip_is_configured_to_find(tmp_path: Path) -> None:
    (tmp_path / "newest.txt").write_text("heart<2\n")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        f"[global]\nno-index = true\nfind-links =\n    {tmp_path}\n    {wheel(tmp_path / 'wheels')}\n"
        f"trusted-host = localhost\n[install]\nconstraint = {tmp_path / 'newest.txt'}\n[wheel]\nfind-links = nowhere\n"
    )
    options = install.options_of(install.settings(listed(configuration)))
    assert compiled(tmp_path, *options).stdout == "heart==1.2\n"


def test_the_environment_comes_before_the_files_and_all_indexes_count(tmp_path: Path) -> None:
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nindex-url = https://a/simple\nextra-index-url = https://b https://c\nno-index = no\n"
    )
    settings = install.settings(listed(configuration, PIP_INDEX_URL="https://d/simple", PIP_PROXY="http://e"))
    assert settings["proxy"] == "http://e"
    options = install.options_of(settings)
    assert [option for option in options if "index-url" in option] == [
        "--index-url=https://d/simple",
        "--extra-index-url=https://b",
        "--extra-index-url=https://c",
    ]
    assert "--index-strategy=unsafe-best-match" in options and "--no-index" not in options


def test_without_a_configuration_uv_keeps_its_own_index(tmp_path: Path) -> None:
    assert install.options_of(install.settings("")) == ["--index-strategy=unsafe-best-match"]


@pytest.mark.parametrize(
    ("options", "offline", "words"),
    [
        (["--no-index"], True, ["heart"]),
        (["--index-url=http://127.0.0.1:9/simple"], False, ["http://127.0.0.1:9/simple/heart", "refused"]),
    ],
)
def test_the_reason_of_a_failure_is_one_line(
    tmp_path: Path, options: list[str], offline: bool, words: list[str]
) -> None:
    failed = compiled(tmp_path, *options, offline=offline)
    assert failed.returncode
    sentence = install.refusal("the packages are not found", failed.stderr)
    assert "\n" not in sentence and "cause:" not in sentence
    for word in ["the packages are not found", "pip config list", *words]:
        assert word in sentence


def test_pip_without_a_connection_is_named_as_such(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "--isolated", "download", "--quiet", "--retries=1", "--dest", str(tmp_path)]
    command += ["--index-url=http://127.0.0.1:9/simple", "heart"]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "no connection" in install.reason(failed.stderr)


def test_nothing_is_installed_if_packages_are_missing(tmp_path: Path) -> None:
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.install", "dev"],
        cwd=ROOT,
        env=os.environ | nowhere | {"UV_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert done.stderr.startswith("error: the packages are not found: ") and done.stderr.count("\n") == 1


def test_what_is_downloaded_is_said_before() -> None:
    here = {"name": "torch", "wheels": [{"url": "file:///wheels/torch.whl"}]}
    small = {"name": "rich", "wheels": [{"url": "https://a/rich.whl", "size": 1_400_000}], "sdist": {"size": 9_000_000}}
    source = {"name": "old", "sdist": {"url": "https://a/old.tar.gz", "size": 2_600_000}}
    unsized = {"name": "torch", "wheels": [{"url": "https://b/torch.whl"}]}
    assert "3 packages: up to 4 MB to download" in install.outlook([here, small, source])
    assert "3 packages: up to 4 MB and torch to download" in install.outlook([unsized, small, source])
    assert "without CUDA" in install.outlook([here])
    assert "torch for CUDA" in install.outlook([here, small | {"name": "nvidia-cublas"}])
