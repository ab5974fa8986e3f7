"""Calibration: reading labelled pictures, rates and thresholds, and what is kept of them."""
