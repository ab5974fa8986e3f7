"""The record of what the gate decided: append-only, chained, without names, pictures or scores."""
