"""A trained model in the formats that people serve with: one target a file.

At inference an ALONE model is a plain Transformer whose embedding matrix has been computed once. Written out
like that (``plain.py``) it runs wherever fairseq's Transformers run.
"""
