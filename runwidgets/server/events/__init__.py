"""The events of an instance, as the server passes them on: to its streams, and to Jupyter's event system."""
