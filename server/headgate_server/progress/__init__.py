"""How far a long call is, sent to its caller while the work goes on. What the work is, other rooms know."""
