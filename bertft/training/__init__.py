"""Training: the order of the data, the optimizer, the one loop, and what a run writes down."""
