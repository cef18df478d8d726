from evalbox.sdk import AsyncBox as AsyncBox
from evalbox.sdk import Box as Box

__version__: str
