"""A Yamux in Python that is right, and many that are wrong in one way each: the kit is judged by them."""
