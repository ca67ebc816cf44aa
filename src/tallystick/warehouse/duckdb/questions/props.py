"""Properties of hits as SQL.

The value of a property is taken out of the canonical text (``model/props.py``) by an expression, and stays as JSON
spells it until rows are grouped. DuckDB computes expressions and comparisons of texts once for each text of a block's
dictionary, but functions of JSON, which may fail, for each hit: ten times the time where all hits have properties.
"""

import re

import msgspec

from tallystick.model.question import Match, Operator
from tallystick.warehouse.duckdb.questions.names import one_fits
from tallystick.warehouse.duckdb.questions.parameters import BoundValues

_INSIDE = r'(?:[^"\\]|\\.)*'
"""What may stand between the quotes of a text in JSON."""
ONE_PROP = f'"({_INSIDE})":"{_INSIDE}"'
"""An RE2 expression that finds one property after the other; its group is the name."""


def encoded_prop(key: str, parameters: BoundValues) -> str:
    """The SQL of the value of a property, as JSON spells it between quotes; empty without it."""
    # From the begin on, since names and values may have any characters.
    pattern = f'^{{(?:"{_INSIDE}":"{_INSIDE}",)*?"{_escaped(encoded_text(key))}":"({_INSIDE})"'
    return f"regexp_extract(props, {parameters.add(pattern)}, 1)"


def decoded_prop(value: str) -> str:
    """The SQL of a text that is given as JSON spells it."""
    return f"CASE WHEN {_is_spelled(value)} THEN {_decoded(value)} ELSE {value} END"


def prop_fits(match: Match, parameters: BoundValues) -> str:
    """The SQL of whether one of a match's values fits a property; ``negated`` is not looked at."""
    value = encoded_prop(match.dimension.key, parameters)
    if match.operator is Operator.IS:
        texts = tuple(encoded_text(str(each)) for each in match.values)
        return one_fits(value, msgspec.structs.replace(match, values=texts), parameters)
    plain, spelled = one_fits(value, match, parameters), one_fits(_decoded(value), match, parameters)
    return f"((NOT {_is_spelled(value)} AND {plain}) OR ({_is_spelled(value)} AND {spelled}))"


def encoded_text(text: str) -> str:
    """A text as JSON spells it between quotes."""
    return msgspec.json.encode(text).decode()[1:-1]


def decoded_text(spelled: str) -> str:
    """A text that is given as JSON spells it between quotes."""
    return str(msgspec.json.decode(f'"{spelled}"'))


def _is_spelled(value: str) -> str:
    return f"contains({value}, '\\')"


def _decoded(value: str) -> str:
    return f"json_extract_string(concat('\"', {value}, '\"'), '$')"


def _escaped(text: str) -> str:
    """An RE2 expression that finds this text and nothing else."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)
