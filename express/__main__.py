"""``python -m express`` is ``express``."""

from express.cli import main

main()
