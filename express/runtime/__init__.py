"""Exactly what generated code may use, and nothing else."""
