"""The version, in a module of its own so that no module needs `import imgclf` for it."""

__all__ = ["__version__"]

__version__ = "0.2.0"
