"""Packs, engines, quality and the 1:1 comparison. No function here takes a face and a set of people."""
