"""Warm processes from which runners and kernels are forked."""
