"""The SSD hybrid network, its weights and its export."""
