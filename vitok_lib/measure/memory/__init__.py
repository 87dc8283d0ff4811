"""How much memory do tokenizers need, and which resolution still fits?"""
