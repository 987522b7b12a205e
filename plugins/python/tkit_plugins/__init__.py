"""What the author of a preprocessor for tkit builds on, in Python.

A preprocessor is a program of its own that tkit starts, feeds with batches of
images and ends. It is written as two methods and a call::

    class Invert(Preprocessor):
        def describe(self) -> Description:
            pixels = Form(Kind.UINT8)
            return Description("invert", "1.0.0", takes=pixels, gives=pixels, deterministic=True)

        def process(self, batch, config, context):
            return 255 - batch

    if __name__ == "__main__":
        serve(Invert())

``tkit plugins new --lang python`` writes such a program with its tests.
"""

from .preprocessor import ANY, VARIES, Batch, Context, Description, Form, ImageError, Kind, Preprocessor
from .serve import serve

__all__ = [
    "ANY",
    "VARIES",
    "Batch",
    "Context",
    "Description",
    "Form",
    "ImageError",
    "Kind",
    "Preprocessor",
    "serve",
]
