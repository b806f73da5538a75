"""Exact and near copies of images, found by hashes and arrays alone."""
