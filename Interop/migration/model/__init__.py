"""A model of the far side that keeps the rules, written from them once more, with switches that break each of them.

It shows that the scenarios can fail: `mutants.py` says which of them catches which wrong variant. It is no
implementation for use: it trusts its streams to be few, and has no deadline but that of a held Migrate.
"""
