"""Version of the installed distribution, written into every summary."""

from importlib import metadata

VERSION = metadata.version("groqrack-fabric")
