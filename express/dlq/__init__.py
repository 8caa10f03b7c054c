"""Dead letters after the fact: read from where they were put, shown, run again, removed. One file per kind of place beside ``boxes``."""
