"""A run directory and its life: files, resuming, saving, what ends it, comparing."""
