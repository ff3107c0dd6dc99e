"""How runs are accepted: their config, what they share, the results of a sweep as their input."""
