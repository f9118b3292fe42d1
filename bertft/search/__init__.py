"""What is searched for the best settings, and what has been tried of it."""
