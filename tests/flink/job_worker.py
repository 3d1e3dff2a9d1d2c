"""A process that runs `sluice-flink` commands one after another in the same JVM, whose start takes most of a small run.

Commands come in as JSON lists of arguments, a line each; results go out as JSON objects, a line each.
"""

from __future__ import annotations

import json
import os
import sys

from typer.testing import CliRunner

from sluice_flink.cli import app


def main() -> None:
    # What Java and its launcher print must not get between the results.
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        done = CliRunner().invoke(app, json.loads(line))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        results.write(json.dumps({"exit_code": done.exit_code, "stdout": done.stdout, "stderr": done.stderr}) + "\n")
        results.flush()


if __name__ == "__main__":
    main()
