"""The service contracts: the abstract class of each service."""
