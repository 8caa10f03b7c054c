"""The Amazon States Language as data: text in, a checked Workflow out. Knows nothing of running."""

from express.language.checking import check
from express.language.load import Loaded, load
from express.language.refusals import refusals

__all__ = ["Loaded", "check", "load", "refusals"]
