"""Install the program with extras into the environment whose Python runs this: `python -m scripts.install dev,fuzz`.

uv does it. uv comes from the index that pip uses, and is told that index, as it does not read pip's configuration.
Torch comes from the index of its makers, as the build for this machine (for its GPU, or for none); where that index
cannot be reached, from pip's. This module needs only the standard library.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from ast import literal_eval
from collections.abc import Mapping
from typing import Any

PINNED = "--constraint=constraints.txt"
SHARED = ("index-url", "extra-index-url", "find-links", "no-index", "constraint", "trusted-host", "cert")
"""Options of pip that uv has under the same name."""

UV = (sys.executable, "-m", "uv", "pip")
BACKEND = "UV_TORCH_BACKEND"
"""Variable of uv that says which build of torch to take; a user's own value holds."""

GB, GB_CUDA = 2.3, 6.2
"""Size of an environment with the extra `dev` on Linux, without and with CUDA."""


def main(extras: str) -> None:
    """Install; say before how much is downloaded."""
    print("uv, which installs all else ...", flush=True)
    bootstrap = _captured(sys.executable, "-m", "pip", "install", "--quiet", PINNED, "uv")
    if bootstrap.returncode:
        sys.exit(refusal("uv cannot be installed", bootstrap.stderr))
    configured = settings(_captured(sys.executable, "-m", "pip", "config", "list").stdout)
    options = [PINNED, *options_of(configured)]
    proxy = {"ALL_PROXY": configured["proxy"]} if "proxy" in configured else {}
    environment = proxy | {BACKEND: "auto"} | os.environ

    search = [*UV, "compile", "--quiet", "--format=pylock.toml", *options, "pyproject.toml"]
    search += [f"--extra={extra}" for extra in extras.split(",")]
    found = _captured(*search, environment=environment)
    if found.returncode and BACKEND not in os.environ:
        why = reason(found.stderr)
        environment.pop(BACKEND)
        found = _captured(*search, environment=environment)
        if not found.returncode:
            print(f"torch comes from pip's index ({why})")
    if found.returncode:
        sys.exit(refusal("the packages are not found", found.stderr))
    print(outlook(tomllib.loads(found.stdout)["packages"]), flush=True)
    installing = [
        *UV,
        "install",
        *options,
        "--compile-bytecode",
        f"--python={sys.executable}",
        f"--editable=.[{extras}]",
    ]
    if subprocess.run(installing, env=environment, check=False).returncode:
        sys.exit("error: the installation stopped; the lines above say why, and the same command resumes it")


def settings(listed: str) -> dict[str, str]:
    """Options for `pip install` in what `pip config list` prints; the environment comes before the files."""
    of_section: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in of_section:
            of_section[section][option] = str(literal_eval(value))
    return of_section["global"] | of_section["install"] | of_section[":env:"]


def options_of(configured: Mapping[str, str]) -> list[str]:
    """The same options for uv; as with pip, the newest version of all indexes counts."""
    options = ["--index-strategy=unsafe-best-match"]
    for option in SHARED:
        if option == "no-index":
            options += ["--no-index"] * (configured.get(option, "0").lower() in ("1", "true", "yes", "on"))
        else:
            options += [f"--{option}={value}" for value in configured.get(option, "").split()]
    return options


def outlook(packages: list[dict[str, Any]]) -> str:
    """How much is downloaded at most, and how large the environment will be; from the packages of a `pylock.toml`."""
    files = {package["name"]: (package.get("wheels") or [package.get("sdist", {})])[0] for package in packages}
    remote = {name: file for name, file in files.items() if not file.get("url", "").startswith("file:")}
    megabytes = sum(file.get("size", 0) for file in remote.values()) / 1e6
    unsized = "".join(f" and {name}" for name, file in remote.items() if "size" not in file)
    large, torch = GB, "torch without CUDA"
    if any(name.startswith("nvidia-") for name in files):
        large, torch = GB_CUDA, f"torch for CUDA; {BACKEND}=cpu in the environment asks for the small build"
    return f"{len(files)} packages: up to {megabytes:.0f} MB{unsized} to download, about {large} GB in .venv ({torch})"


def refusal(what: str, stderr: str) -> str:
    """One sentence: what failed, why, and what to do."""
    return f"error: {what}: {reason(stderr)}; check the connection, and the index that `pip config list` shows"


def reason(stderr: str) -> str:
    """What uv or pip gives as cause of an error, in one line."""
    lines = [line.strip().rstrip(".") for line in stderr.splitlines() if line.strip()]
    if any("connection broken by" in line for line in lines):  # a warning of pip, whose error is then another
        return "there is no connection to the index"
    causes = [line.removeprefix("cause: ") for line in lines if line.startswith("cause: ")]
    causes = causes or [line.partition(": ")[2] for line in lines if line.lower().startswith("error: ")] or lines[-1:]
    return ": ".join(dict.fromkeys((causes[0], causes[-1])))


def _captured(*command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
