"""Libraries that only some parts of the program need, and the command that installs them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from shlex import quote

from ecg_rhythm.errors import BadInput

NAME = "ecg-rhythm"
SCREEN = "MPLBACKEND"
"""The variable that tells matplotlib where to show pictures; it refuses to be imported if it does not know that."""


@contextmanager
def needed(extra: str, by: str) -> Iterator[None]:
    """Say which extra to install if a library that is imported inside is missing, or why it cannot be imported.

    Parameters
    ----------
    extra : str
        A name in `[project.optional-dependencies]` of `pyproject.toml`.
    by : str
        What needs the library, as the beginning of a sentence.

    Raises
    ------
    BadInput
        If the library is not installed, or the library for pictures is set to a screen that it does not know.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise BadInput(sentence(extra, by, error)) from None
    except ValueError as error:
        if not (screen := os.environ.get(SCREEN)) or repr(screen) not in str(error):
            raise
        raise BadInput(
            f"{SCREEN}={screen}: matplotlib has no such backend, so {by} cannot be drawn; unset it"
        ) from None


def sentence(extra: str, by: str, error: ModuleNotFoundError) -> str:
    """What needs which library, and how to install it."""
    library = str(error.name).partition(".")[0]
    return f"{by} needs {library}, which is not installed; `{command(extra)}` installs it"


def command(extra: str) -> str:
    """Shell command that installs an extra from where the program itself came from.

    That is a checkout, if the program runs from one; else the folder, archive or repository that the installer noted
    (`direct_url.json`, PEP 610); else an index.
    """
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install --editable {quote(f'{checkout}[{extra}]')}"
    wanted = f"{NAME}[{extra}]"
    try:
        noted = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        noted = None
    if noted:
        origin = json.loads(noted)
        repository = origin.get("vcs_info")
        url = f"{repository['vcs']}+{origin['url']}@{repository['commit_id']}" if repository else origin["url"]
        wanted = f"{wanted} @ {url}"
    return f"pip install {quote(wanted)}"
