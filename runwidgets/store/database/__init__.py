"""The tables, and every statement sent to the database."""
