"""Which texts to label next: unlabelled texts in, the few that would teach a model most out."""
