"""Synthetic cases and the training of the network on them. Needs the ``train`` extra."""
