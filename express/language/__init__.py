"""The Amazon States Language as data: text in, a checked Workflow out. Knows nothing of running."""
