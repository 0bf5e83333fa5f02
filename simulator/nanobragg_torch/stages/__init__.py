"""The stages of the diffraction model, each a few functions on tensors."""
