"""Every term once, as a jit function of row statistics; the files are those of the torch terms.

A term gets the statistics of rows and its two parameters, all float64. Its weight multiplies what
it returns.
"""

from noisykernels.triton.terms import probability, logits, softmax, vector, elementwise  # noqa: I001

TERMS = {
    term.__name__: term
    for file in (probability, logits, softmax, vector, elementwise)
    for term in file.TERMS
}
"""In the order of their ids."""
