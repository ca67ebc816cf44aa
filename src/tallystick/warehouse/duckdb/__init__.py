"""The warehouse on DuckDB, behind a journal in SQLite."""

import sys
from typing import cast

# DuckDB 1.5 looks for pandas twice for each parameter of a statement, in every folder of sys.path, where it is not
# installed: three quarters of the time of a statement of many parameters. This is a module that cannot be imported.
cast("dict[str, object]", sys.modules).setdefault("pandas", None)
