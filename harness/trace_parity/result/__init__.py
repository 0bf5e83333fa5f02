"""The finding of a comparison as one object."""
