"""One module per verb: plain functions, callable from Python, that never print."""
