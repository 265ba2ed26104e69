"""What brings intensities of any scanner to one scale: one file each, named by the model card."""
