"""Lights, buzzer and buttons."""
