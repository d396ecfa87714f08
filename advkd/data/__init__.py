"""Data sources: images in [0,1] with classes 0..N-1."""
