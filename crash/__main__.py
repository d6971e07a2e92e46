"""Cut every command off at every change on the disk, and print what became of it: `python -m crash`.

Each change is a kill, a full disk and a faulty disk in turn. Afterwards the same command must give the same bytes, or
one sentence. Findings are printed as they come; the table comes at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from crash import shim
from crash.shim import Manner


def main() -> None:
    """Cut off the commands that are named, or all."""
    if why := shim.missing():
        sys.exit(f"not here: {why}")
    if os.environ.get("LD_PRELOAD") != str(shim.compiled()):  # it must be loaded before all else
        alone = {"LD_PRELOAD": str(shim.compiled()), "OMP_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, "-m", "crash", *sys.argv[1:]], os.environ | alone)
    from crash import harness, judging
    from crash.commands import COMMANDS

    parser = argparse.ArgumentParser(description="Cut every command off at every change on the disk.")
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"some of: {', '.join(COMMANDS)}")
    parser.add_argument("--points", type=int, help="test this many changes of each command, one failure each")
    parser.add_argument("--part", type=part, default=(1, 1), help="one of several parts, such as 1/2")
    parser.add_argument("--from", type=int, default=1, dest="first", help="leave out the changes before this one")
    parser.add_argument("--to", type=Path, help="JSON file that gets the row of each command that was tested whole")
    arguments = parser.parse_args()
    if strange := [name for name in arguments.commands if name not in COMMANDS]:
        parser.error(f"there is no command {strange[0]}")
    harness.warm_up()
    table: dict[str, Counter[str]] = {}
    place = Path(tempfile.mkdtemp(prefix="crash-")).resolve()  # not one that forks remove when they end
    try:
        for title in arguments.commands or COMMANDS:
            template = place / title.replace(" ", "-")
            template.mkdir()
            in_fork(lambda: COMMANDS[title].prepare(template))  # noqa: B023 -- called at once
            count = table[title] = Counter()
            with harness.mirror(COMMANDS[title], template) as command:
                taken = judging.points(
                    command, template, template.with_name("scratch"), arguments.points, arguments.part, arguments.first
                )
                for at, what, manner, verdict in taken:
                    count["points"] = max(count["points"], at)
                    count.update([manner.name, verdict.recovered or "faults"])
                    if verdict.recovered != "same":
                        kind = "sentence" if verdict.recovered else "NOT RECOVERED"
                        print(f"{kind}: {title}, {manner.name} at {at} ({what}): {verdict.why}", flush=True)
            print(row(title, count), flush=True)
            if arguments.to and (arguments.points, arguments.part, arguments.first) == (None, (1, 1), 1):
                rows = json.loads(arguments.to.read_text()) if arguments.to.exists() else {}
                arguments.to.write_text(json.dumps(rows | {title: count}, indent=1) + "\n")
    except KeyboardInterrupt:
        print("interrupted; so far:")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(f"\n{HEAD}")
    for title, count in table.items():
        print(row(title, count))
    whole = sum(table.values(), Counter())
    print(row("all", whole))
    sys.exit(1 if whole["faults"] else 0)


def part(text: str) -> tuple[int, int]:
    """Read 1/2 as the first of two parts."""
    one, of = map(int, text.split("/"))
    return one, of


HEAD = "| command | points | kills | ENOSPC | EIO | same bytes | a sentence | faults |\n|---|" + 7 * "---:|"


def row(title: str, count: Counter[str]) -> str:
    """A row of the table."""
    columns = ("points", Manner.KILL.name, Manner.FULL.name, Manner.FAULT.name, "same", "sentence", "faults")
    return f"| {title} | {' | '.join(str(count[column]) for column in columns)} |"


def in_fork(do: object) -> None:
    """Do something in a fork, so that this process stays without threads."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            do()  # type: ignore[operator]
            code = 0
        finally:
            if code:
                import traceback

                traceback.print_exc()
            os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise RuntimeError("the folder that a command starts from could not be made")


if __name__ == "__main__":
    main()
