"""System tests: the whole product, installed from its bundle, on a machine with real parts."""
