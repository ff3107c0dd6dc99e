"""The SQL statements about runs: one by one, many at once, their files, the slots and the queue's limit."""
