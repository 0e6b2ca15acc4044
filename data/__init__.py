"""Bytes in, relations out: corpora, identifiers, the artifact store, deterministic writers."""
