"""What a run leaves: files, hashes, provenance."""
