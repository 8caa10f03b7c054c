"""Where events come from: one module for each kind of source, found by the scheme of its address."""
