"""The memory: tables and the sentences said to them, and the files beside them."""
