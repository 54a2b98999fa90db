"""A simulated battery site that answers on real wires. It plays the outside world and imports no driver."""
