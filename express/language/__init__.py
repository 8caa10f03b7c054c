"""The Amazon States Language as data: text in, a checked Workflow out. Knows nothing of running."""

from express.language.load import Loaded, check, load

__all__ = ["Loaded", "check", "load"]
