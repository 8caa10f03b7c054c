"""The compiler: many small machines, compiled and run by the real executor."""
