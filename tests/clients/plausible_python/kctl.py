"""Runs commands of ``kctl-plausible`` and prints what each said as JSON: exit code, standard output, standard error.

Arguments: a JSON list of lists of arguments.

Tables are printed as JSON here: 0.10.3 hands them to its library in an order that no version of the library takes, so
they fail after every answer, Plausible's too.
"""

import json
import sys

# Installed by the test, in a folder of their own.
from kctl_lib.output import Output  # type: ignore[import-not-found]
from kctl_plausible.cli import app  # type: ignore[import-not-found]
from typer.testing import CliRunner  # type: ignore[import-not-found]


def table(_output: object, rows: list[dict[str, object]], columns: list[str], title: str) -> None:
    """Print rows as the client names them."""
    sys.stdout.write(json.dumps({"title": title, "rows": [[row[column] for column in columns] for row in rows]}))


Output.table = table
runner = CliRunner()
done = [runner.invoke(app, arguments) for arguments in json.loads(sys.argv[1])]
sys.stdout.write(json.dumps([(each.exit_code, each.stdout, each.stderr) for each in done]))
