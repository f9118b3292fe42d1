"""What computes logits: torch, or a model that was exported for ONNX Runtime or OpenVINO."""
