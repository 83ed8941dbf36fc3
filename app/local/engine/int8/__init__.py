"""Forward passes on a CPU with weights in 8 bits, computed by ONNX Runtime."""
