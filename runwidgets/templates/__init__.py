"""Templates: the parameters and outputs that a notebook declares, and the validation of arguments."""
