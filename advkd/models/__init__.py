"""Models: networks that take pixels in [0,1] and answer with logits."""
