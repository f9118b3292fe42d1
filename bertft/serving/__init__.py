"""Trained models behind HTTP: runs by name in, an ASGI application with its limits out.

connection (connections.py) -> layers (layers.py) -> a dialect -> Service -> Worker -> Predictor
"""
