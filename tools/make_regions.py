"""Make the English names of regions of CLDR's `cldr-subdivisions-full`.

npm pack cldr-subdivisions-full@48.2.0 && tar xf cldr-subdivisions-full-48.2.0.tgz   # in a temporary folder
python tools/make_regions.py FOLDER/package/subdivisions/en/en.json
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ROOT / "src" / "tallystick" / "surfaces" / "dashboard" / "names" / "regions.en.json"
COUNTRY_LETTERS = 2
MARKS = "²³† "
"""CLDR tells regions of the same name apart by a sign at the end."""


def main() -> None:
    """Write the names by ISO 3166-2 code: ``usca`` becomes ``US-CA``."""
    data = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    names = data["subdivisions"]["localeDisplayNames"]["subdivisions"]
    written = {
        f"{code[:COUNTRY_LETTERS]}-{code[COUNTRY_LETTERS:]}".upper(): name.rstrip(MARKS)
        for code, name in sorted(names.items())
    }
    NAMES.write_text(f"{json.dumps(written, ensure_ascii=False, indent=0)}\n", "utf-8")
    print(f"{NAMES.relative_to(ROOT)}: {len(written):,} names, {NAMES.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
