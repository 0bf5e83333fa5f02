"""The output of a run: files, hashes, provenance."""
