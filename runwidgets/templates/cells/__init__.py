"""What the parameters cells of notebooks declare, read without executing them."""
