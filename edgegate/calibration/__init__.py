"""Evaluation apart from the gate: how often a pack errs on labelled pictures, and the thresholds that follow.

Nothing here is imported by the running gate but `record`, which reads a saved calibration. Only labelled pairs are
compared, in bulk; there is no function that takes a face and says whose it is.
"""
