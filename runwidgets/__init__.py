"""Turn notebooks into workflows: parameterised runs, live widgets and sweeps."""
