"""Checks of the image's gradients by finite differences: `python -m nanobragg_torch.gradcheck`."""
