"""The error of one image, apart so that every module of this folder may raise it."""


class ImageError(ValueError):
    """One image cannot be used; from ``prepare.read`` the message names the file and says why in one sentence."""
