"""The contracts: what each service promises, whoever implements it."""
