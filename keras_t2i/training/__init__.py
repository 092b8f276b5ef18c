"""How any objective is trained: runs that resume, averages of the weights, one step for three backends."""
