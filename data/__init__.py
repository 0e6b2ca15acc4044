"""Reading corpora, identifying documents, storing artifacts, writing deterministic files."""
