"""Unit tests of the interop harness: `make test` runs them; none needs a peer."""
