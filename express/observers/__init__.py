"""What is seen of a running workflow: metrics, logs, traces. Bound when a program is made."""
