"""Networks that judge: never in a loss, in guidance, in ranking, or to choose a checkpoint."""
