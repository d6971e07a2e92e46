"""What is said where a library is missing can be done, wherever the program came from."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput

CHECKOUT = Path(__file__).parents[1]


def installed(folder: Path, origin: dict[str, Any] | None) -> Requirement:
    """What is to be installed for the extra `web`, as a program says that is installed in a folder from there."""
    noted = folder / "ecg_rhythm-0.1.0.dist-info"
    package = folder / "ecg_rhythm"
    noted.mkdir()
    package.mkdir()
    (noted / "METADATA").write_text("Metadata-Version: 2.1\nName: ecg-rhythm\nVersion: 0.1.0\n")
    if origin:
        (noted / "direct_url.json").write_text(json.dumps(origin))
    (package / "__init__.py").touch()
    for module in ("extras.py", "errors.py", "printable.py"):
        shutil.copy(CHECKOUT / "src" / "ecg_rhythm" / module, package)
    code = "from ecg_rhythm import extras; print(extras.command('web'))"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"]
    words = shlex.split(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert words[:2] == ["pip", "install"]
    (wanted,) = words[2:]
    return Requirement(wanted)


def test_a_screen_that_matplotlib_does_not_know_is_said() -> None:
    code = (
        "import ecg_rhythm, numpy; answer = ecg_rhythm.classify(numpy.zeros(3000), fs=300)\n"
        "for _ in range(2):\n"
        "    try: answer.plot()\n"
        "    except ecg_rhythm.BadInput as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"MPLBACKEND": "xxx"})
    says = "MPLBACKEND=xxx: matplotlib has no such backend, so a picture cannot be drawn; unset it\n"
    assert (done.stdout, done.stderr) == (2 * says, "")


def test_a_checkout_is_installed_again_with_the_extra() -> None:
    assert shlex.split(extras.command("web")) == ["pip", "install", "--editable", f"{CHECKOUT}[web]"]


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ({"url": "file:///home/a%20b/ecg-rhythm", "dir_info": {}}, "file:///home/a%20b/ecg-rhythm"),
        ({"url": "https://a/ecg_rhythm-0.1.0.whl", "archive_info": {}}, "https://a/ecg_rhythm-0.1.0.whl"),
        ({"url": "https://a/ecg.git", "vcs_info": {"vcs": "git", "commit_id": "12ab"}}, "git+https://a/ecg.git@12ab"),
        (None, None),
    ],
    ids=["folder", "wheel", "repository", "index"],
)
def test_an_installed_program_names_where_it_came_from(
    origin: dict[str, Any] | None, url: str | None, tmp_path: Path
) -> None:
    wanted = installed(tmp_path, origin)
    assert (wanted.name, wanted.extras, wanted.url) == ("ecg-rhythm", {"web"}, url)


def test_a_missing_library_is_one_sentence() -> None:
    with pytest.raises(BadInput) as error, extras.needed("web", "serve"):
        raise ModuleNotFoundError("No module named 'uvicorn.x'", name="uvicorn.x")
    assert str(error.value) == f"serve needs uvicorn, which is not installed; `{extras.command('web')}` installs it"
