"""Meaning: signals, embeddings, clusters, duplicates, operators, recipes, plans, evaluation."""
