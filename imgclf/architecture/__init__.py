"""Networks as lists of blocks: what a block is, how a model is built of them, what it costs."""
