"""What a careful person writes in a day, with the libraries as their documentation shows them: the thing to beat."""
