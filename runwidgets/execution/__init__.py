"""The execution of runs: backends, runners, kernels and fork servers."""
