"""Installing the gate as a service: a version in a folder of its own, unit, rules, configuration, the way back.

Only the standard library and `edgegate.errors` are imported here (and `needs` in the version's own environment), so
that a wheel can install itself on a machine that has nothing but Python: `python3 -m edgegate.deploy install`.
"""
