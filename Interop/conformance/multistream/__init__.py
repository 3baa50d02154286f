"""The cases of multistreamspec."""
