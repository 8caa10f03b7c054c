"""Groups of real dispatchers over a model of a broker, in virtual time, one seed for everything that is chance."""
