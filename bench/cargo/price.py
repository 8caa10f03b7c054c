"""The function of the benchmarks' workflow, registered as a user would."""

import sys
from pathlib import Path

import express

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))

from work import price

price = express.function("price", run="inline")(price)
