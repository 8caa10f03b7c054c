"""A Workflow in, readable Python out: flow decides the functions, states writes each state, the rest writes its parts."""
