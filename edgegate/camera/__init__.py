"""Where pictures come from. Frames live in memory only; the newest one replaces the one before."""
