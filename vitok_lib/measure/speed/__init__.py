"""How fast are tokenizers, and where does the time go?"""
