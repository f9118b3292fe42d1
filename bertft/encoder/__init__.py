"""Encoders: the model zoo, loading, packing of sequences and the attention that runs them."""
