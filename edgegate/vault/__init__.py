"""Sealed templates, statuses and consents, on the device and nowhere else."""
