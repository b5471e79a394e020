"""EnOS batch flows: the API gateway with its tokens and signatures, and the flows behind it."""
