"""All that a person reads in a terminal: the only room that prints."""
