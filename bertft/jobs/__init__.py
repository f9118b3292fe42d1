"""What training starts from: a request in; data, encoder, model and trainer out."""
