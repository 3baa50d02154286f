"""Reading the golden transcripts of `Specs/transcripts` without any of Oxbow's code."""
