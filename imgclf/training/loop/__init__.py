"""One run of `keras.Model.fit`: batches, checkpoints, resume, and the run folder."""
