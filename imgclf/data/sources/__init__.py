"""Loads a `Dataset` from CIFAR-10, the digits, a folder or a table; `registry` lists them all."""
