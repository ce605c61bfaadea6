"""Benchmarks: what engrain does beside what people would use instead, on the same facts, base model and machine."""
