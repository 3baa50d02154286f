"""The interop runner: which cells there are, how one runs, what counts as passed, and the table of it."""
