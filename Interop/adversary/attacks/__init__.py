"""The attacks, by the layer that they are aimed at."""
