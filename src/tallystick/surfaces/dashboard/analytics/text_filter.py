"""The search for pages, with the words that GoatCounter's filter knows: ``blog at:start in:path``, ``draft :not``.

What is left of the text without these words is looked for in the paths of pages, in the names of events and in titles;
upper and lower case are the same. It narrows a whole page of statistics to hits on what was found.
"""

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tallystick.errors import InputRefused

AT_START, AT_END, IN_PATH, IN_TITLE = "at:start", "at:end", "in:path", "in:title"
IS_EVENT, IS_PAGEVIEW, NOT = "is:event", "is:pageview", ":not"
WORDS = (AT_START, AT_END, IN_PATH, IN_TITLE, IS_EVENT, IS_PAGEVIEW, NOT)

LONGEST = 500
"""Characters of a search: every title is compared with it."""

_PAGE, _EVENT, _PAGEVIEW = "event:page", "event:name", "pageview"
_NOTHING = r"[^\s\S]"
"""An expression that nothing matches."""
_of_expressions = re.compile(r"[\\.+*?()|\[\]{}^$]")


class TextFilter(Struct, frozen=True):
    """What is searched for.

    Attributes:
        text: empty where there are only words with a meaning.
        folded: the same without upper and lower case.
    """

    text: str
    words: frozenset[str] = frozenset()
    folded: str = ""

    @property
    def in_title(self) -> bool:
        """Whether titles have to be looked at."""
        return bool(self.text) and (IN_TITLE in self.words or IN_PATH not in self.words)

    @property
    def in_path(self) -> bool:
        """Whether paths, and names of events, have to be looked at."""
        return bool(self.text) and (IN_PATH in self.words or IN_TITLE not in self.words)

    def fits(self, title: str) -> bool:
        """Whether a title fits."""
        title, text = title.casefold(), self.folded
        if AT_START in self.words and not title.startswith(text):
            return False
        if AT_END in self.words and not title.endswith(text):
            return False
        return text in title

    def lists(self, titled: Sequence[str], *, events: bool = True) -> list[Any]:
        """The filters on the wire, which all have to hold.

        Args:
            titled: paths of pages, and names of events, whose titles fit.
            events: whether text is looked for in the names of events, too.
        """
        found: list[Any] = []
        if self.text:
            of_pages = [self._match(_PAGE)] if self.in_path else []
            of_events = [_event(self._match(_EVENT))] if self.in_path else []
            if self.in_title:
                of_pages.append(["is", _PAGE, list(titled)] if titled else ["matches", _PAGE, [_NOTHING]])
                of_events += [_event(["is", _EVENT, list(titled)])] if titled else []
            either = [*of_pages, *(of_events if events else ())]
            inner = either[0] if len(either) == 1 else ["or", either]
            found.append(["not", inner] if NOT in self.words else inner)
        if IS_EVENT in self.words:
            found.append(["is_not", _EVENT, [_PAGEVIEW]])
        if IS_PAGEVIEW in self.words:
            found.append(["is", _EVENT, [_PAGEVIEW]])
        return found

    def _match(self, dimension: str) -> list[Any]:
        if not self.words & {AT_START, AT_END}:
            return ["contains", dimension, [self.text], {"case_sensitive": False}]
        begin, end = "^" if AT_START in self.words else "", "$" if AT_END in self.words else ""
        quoted = _of_expressions.sub(lambda sign: "\\" + sign[0], self.text)
        return ["matches", dimension, [f"(?i){begin}{quoted}{end}"]]


def text_filter(query: str) -> TextFilter:
    """Parse what was typed. Words with a meaning stand anywhere, in lower case, with blanks around them.

    Raises:
        InputRefused: it is too long.
    """
    if len(query) > LONGEST:
        msg = f"a search takes at most {LONGEST} characters"
        raise InputRefused(msg)
    typed = query.split()
    text = " ".join(word for word in typed if word not in WORDS)
    return TextFilter(text, frozenset(word for word in typed if word in WORDS), text.casefold())


def _event(match: list[Any]) -> list[Any]:
    return ["and", [["is_not", _EVENT, [_PAGEVIEW]], match]]
