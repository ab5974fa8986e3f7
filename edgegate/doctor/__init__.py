"""The doctor: one line a check, with its remedy. A composition root, as `app` is, that uses the same parts."""
