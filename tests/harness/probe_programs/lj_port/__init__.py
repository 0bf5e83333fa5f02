"""The Lennard-Jones program of ../lj.c as somebody would port it to PyTorch: whole tensors where C has loops."""
