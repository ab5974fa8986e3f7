"""Fuzzing with atheris: `make fuzz` for an hour, a minute in every run of `.ci/run`.

`python -m tests.fuzz TARGET --seconds N`. Each target is a module with `seeds`, made by code, and `check`, which takes
any bytes at all and fails where the product does what it must not. `tests/fuzz/test_targets.py` runs both without
atheris, so that they do not rot where there is none.
"""
