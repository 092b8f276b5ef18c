"""Networks some of whose kernels have a product of two small matrices added (LoRA, arXiv 2106.09685)."""


def _adapted(network):
    return [layer for layer in network._flatten_layers() if getattr(layer, "lora_enabled", False)]


def is_lora(network):
    """Whether some layer of a network has LoRA."""
    return bool(_adapted(network))


def merged_weights(network):
    """The weights of a network as it would be without LoRA: kernels are the sums that count.

    Args:
        network: Keras model, with LoRA or without.

    Returns:
        list of variables and tensors, in the order of `network.weights` of one without.
    """
    sums, matrices = {}, set()
    for layer in _adapted(network):
        name = "kernel" if hasattr(layer, "kernel") else "embeddings"
        sums[id(getattr(layer, f"_{name}"))] = getattr(layer, name)
        matrices |= {id(getattr(layer, f"lora_{name}_{factor}")) for factor in "ab"}
    return [sums.get(id(weight), weight) for weight in network.weights if id(weight) not in matrices]
