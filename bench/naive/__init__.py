"""A careful solution of one day, with the libraries as their documentation shows them: the thing to beat."""
