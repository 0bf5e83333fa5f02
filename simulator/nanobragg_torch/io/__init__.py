"""Readers and writers, one file per format. Source: model section 10."""
