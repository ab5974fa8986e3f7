"""The short number printed on a card, so that the office can revoke it when the card itself is lost."""

from __future__ import annotations

import secrets

from stdnum.iso7064 import mod_37_2

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXY"
"""Crockford's base 32 (no I, L, O, U) without Z: 31 is prime, which the check character needs."""
LENGTH = 8
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "Z": "2", "-": None, " ": None})


def new_number() -> str:
    """Seven random characters (34 bits) and a check character: ISO 7064's pure system with radix 2, over 31
    characters, which finds every wrong character and every swap of neighbours."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH - 1))
    return body + mod_37_2.calc_check_digit(body, alphabet=ALPHABET)


def read_number(text: str) -> str | None:
    """The number as it is kept, whatever its case, spaces and dashes; None when it cannot be one."""
    number = text.strip().upper().translate(_READ_AS)
    if len(number) != LENGTH or set(number) - set(ALPHABET):
        return None
    return number if mod_37_2.calc_check_digit(number[:-1], alphabet=ALPHABET) == number[-1] else None
