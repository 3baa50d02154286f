"""The cases of identifyspec."""
