"""What looks into a model: states, attention, attribution, similarity, a word in its contexts."""
