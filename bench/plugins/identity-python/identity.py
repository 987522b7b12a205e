"""A plugin that does nothing: it returns the images unchanged."""

from tkit_plugins import Description, Form, Kind, Preprocessor


class Identity(Preprocessor):
    def describe(self):
        pixels = Form(Kind.UINT8)
        return Description("identity-python", "1.0.0", takes=pixels, gives=pixels, deterministic=True)

    def process(self, batch, config, context):
        return batch
