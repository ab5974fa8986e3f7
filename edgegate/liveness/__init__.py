"""Presentation attack detection: is this a live face, or a picture of one? Engines, cues, and how well they do."""
