"""Heads: the task-specific end of a model, as plain Hugging Face classes with our summed losses."""
