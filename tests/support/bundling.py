"""CommonJS packages as one script for a browser: their files, unmodified, and a ``require`` that finds them."""

import json
import re
from pathlib import Path

_REQUIRED = re.compile(r"""\brequire\(['"]([^'"]+)['"]\)""")
_COMMENTS = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
_LOADER = """
const loaded = {}
const load = (file) => {
  if (!loaded[file]) {
    const module = loaded[file] = {exports: {}}
    modules[file].call(module.exports, module, module.exports, (name) => load(places[file][name]))
  }
  return loaded[file].exports
}
"""


def bundled(packages: Path, name: str, *, known_as: str) -> str:
    """A script that leaves what the package exports in a global variable.

    Args:
        packages: the folder ``node_modules``.
        known_as: the variable's name.
    """
    entry = _file_of(packages, packages, name)
    places: dict[Path, dict[str, Path]] = {}
    waiting = [entry]
    while waiting:
        file = waiting.pop()
        if file not in places:
            names = set(_REQUIRED.findall(_COMMENTS.sub("", file.read_text("utf-8"))))
            places[file] = {each: _file_of(packages, file.parent, each) for each in names}
            waiting += places[file].values()
    modules = ",\n".join(
        f"{json.dumps(f'{file}')}: function (module, exports, require) {{\n{file.read_text('utf-8')}\n}}"
        for file in places
    )
    told = json.dumps({f"{file}": {name: f"{to}" for name, to in found.items()} for file, found in places.items()})
    begin = f"window.{known_as} = load({json.dumps(f'{entry}')})"
    return f"{{\nconst modules = {{{modules}}}\nconst places = {told}\n{_LOADER}\n{begin}\n}}"


def _file_of(packages: Path, folder: Path, name: str) -> Path:
    """The file that a name in a file of ``folder`` means."""
    place = (folder if name.startswith(".") else packages) / name
    if (place / "package.json").exists():
        told = json.loads((place / "package.json").read_text("utf-8"))
        return place / str(told.get("main", "index.js"))
    found = next(file for file in (place, place.with_name(f"{place.name}.js"), place / "index.js") if file.is_file())
    return found.resolve()
