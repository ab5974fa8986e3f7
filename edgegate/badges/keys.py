"""What a keyboard types: key codes and layouts, and how key presses become texts.

Key codes are those of linux/input-event-codes.h: they name places on a keyboard, as if it were a US one. Which
character a place stands for is the layout's: a scanner set to French presses the keys that a French computer needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegate.badges.typed import PAUSE_S, Draft

EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3
ENTER, DIGITS = 28, range(2, 12)

_ENDS = frozenset({ENTER, 96, 15})  # Enter, that of the keypad, Tab
_SHIFTS = frozenset({42, 54})
_CTRLS = frozenset({29, 97})
_ALT, _ALTGR, _CAPS = 56, 100, 58
_METAS = frozenset({125, 126})
_MODIFIERS = _SHIFTS | _CTRLS | _METAS | {_ALT, _ALTGR}
_SPACE = {57: " "}
_KEYPAD = dict(zip((*range(71, 84), 55, 98, 117, 121), "789-456+1230.*/=,", strict=True))
_PLACES = (*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54), 86)
"""The keys of the four rows, from left to right, then the one beside the left Shift that US keyboards lack."""
_NO_LOCK = (41, 86)
"""CapsLock changes neither of these, left of 1 and left of W, on a French keyboard."""


def _row(characters: str) -> dict[int, str]:
    """The character of every place; a blank stands for none."""
    return {place: char for place, char in zip(_PLACES, characters, strict=True) if char != " "}


@dataclass(frozen=True)
class Layout:
    """Characters by key code; `locked` are the keys whose Shift CapsLock turns round."""

    plain: dict[int, str]
    shifted: dict[int, str]
    third: dict[int, str]
    """With AltGr."""
    locked: frozenset[int]


_US = _row("1234567890-=qwertyuiop[]asdfghjkl;'`\\zxcvbnm,./\\")
_FR = _row("&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù²*wxcvbn,;:!<")
LAYOUTS = {
    "us": Layout(
        _US,
        _row('!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"~|ZXCVBNM<>?|'),
        {},
        frozenset(place for place, char in _US.items() if char.isalpha()),
    ),
    "fr": Layout(
        _FR,
        _row("1234567890°+AZERTYUIOP¨£QSDFGHJKLM% µWXCVBN?./§>"),
        _row(" ~#{[|`\\^@]}  €        ¤                        "),
        # CapsLock is a Shift lock, digits included, where scanners learned French: on Windows.
        frozenset(_FR) - frozenset(_NO_LOCK),
    ),
}


class Keystrokes:
    """Turns the input events of one keyboard into texts. A text ends with Enter or Tab."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._draft = Draft()
        self._held: set[int] = set()
        self._pressed: list[int] = []
        self._caps = False
        self._at = 0.0

    def event(self, kind: int, code: int, value: int, at: float) -> list[str]:
        """One `struct input_event`, `at` in monotonic seconds. Returns the texts that it completes."""
        if kind == EV_KEY:
            self._key(code, value, at)
        elif kind == EV_SYN and code == SYN_DROPPED:
            # The kernel's buffer ran over: what was held may have been let go, and the rest is not a whole code.
            self._held.clear()
            self._pressed.clear()
            self._draft.spoil(at)
        elif kind == EV_SYN and code == SYN_REPORT:
            return self._report(at)
        return []

    def pause(self, now: float) -> None:
        """No key was pressed until now."""
        self._draft.pause(now)
        if now - self._at > PAUSE_S:
            self._caps = False  # a scanner that locks capitals does so for one code

    def _key(self, code: int, value: int, at: float) -> None:
        if code in _MODIFIERS:
            (self._held.add if value else self._held.discard)(code)
        elif value == 1:
            self._pressed.append(code)
            self.pause(at)
            self._at = at

    def _report(self, at: float) -> list[str]:
        """A report is one moment: the modifiers in it hold for its keys, in whatever order they were listed."""
        texts = []
        for code in self._pressed:
            if code in _ENDS:
                texts.append(self._draft.end())
            elif code == _CAPS:
                self._caps = not self._caps
            elif character := self._character(code):
                self._draft.add(character.encode(), at)
        self._pressed.clear()
        return [text for text in texts if text]

    def _character(self, code: int) -> str:
        """What a key types with the modifiers that are held; empty when it types nothing."""
        control, alt = bool(self._held & _CTRLS), _ALT in self._held
        third = _ALTGR in self._held or (control and alt)  # as on Windows, where the two together are AltGr
        if self._held & _METAS or (not third and (control or alt)):
            return ""
        if third:
            return self._layout.third.get(code, "")
        shift = bool(self._held & _SHIFTS) != (self._caps and code in self._layout.locked)
        characters = self._layout.shifted if shift else self._layout.plain
        return characters.get(code) or _SPACE.get(code) or _KEYPAD.get(code, "")
