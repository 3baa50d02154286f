"""The cases of noisespec."""
