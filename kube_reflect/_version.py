"""Which version of the library this is."""

__all__ = ["__version__"]

#: The same as in setup.cfg; a test says so.
__version__ = "0.2.0"
