"""What tests invent: records, pictures, image files and tokenizers, and how they read what comes out.

Nothing here is ever shown as a result: it is written to temporary folders.
"""
