"""Where a `Dataset` comes from: CIFAR-10, digits, folders, tables."""
