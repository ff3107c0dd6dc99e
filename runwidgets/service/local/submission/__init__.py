"""How runs are accepted: what they share, the results of a sweep as their input."""
