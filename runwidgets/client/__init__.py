"""What people use from Python: connections, runs, sweeps, searches and magics."""
