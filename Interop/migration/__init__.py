"""A scripted peer that takes either side of stream migration, against any implementation of it: `README.md` here."""
