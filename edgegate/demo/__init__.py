"""The play at a simulated gate: real daemon, real badges, real comparison; only what the camera sees is composed."""
