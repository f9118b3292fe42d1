"""A trained model answers: texts and tables in, answers in many formats out."""
