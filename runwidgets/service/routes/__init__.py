"""The route table of the REST API; read by the server, the widgets and the HTTP services."""
