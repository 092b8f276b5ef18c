"""The few operations of which a backend's own form is much slower than another way to write them.

Each stands beside its plain Keras form, and a test holds the two equal. Nothing else in `layers/` or
`models/` asks which backend runs.
"""

import functools
import math

import keras
from keras import ops


def transposed_convolution_plain(x, kernel):
    """Keras' own transposed convolution, stride 2, kernel 4, `same` padding.

    Args:
        x: float tensor `(n, h, w, c)`.
        kernel: float tensor `(4, 4, out, c)`.

    Returns:
        Float tensor `(n, 2h, 2w, out)`.
    """
    return ops.conv_transpose(x, kernel, strides=2, padding="same", data_format="channels_last")


def transposed_convolution_phases(x, kernel):
    """The same as four stride-1 convolutions, one for each pixel of a 2x2 block, done as one.

    Output row 2i needs rows i-1 and i (taps 3 and 1), row 2i+1 rows i and i+1 (taps 2 and 0); so each
    phase is a 2x2 convolution, and the phases are interleaved. XLA on CPU computes the gradient of a
    strided transposed convolution more than ten times slower than this.
    """
    h, w, c, out = x.shape[1], x.shape[2], x.shape[3], kernel.shape[2]
    taps = ops.reshape(
        ops.flip(kernel, axis=(0, 1)), (2, 2, 2, 2, out, c)
    )  # tap, phase, for rows and columns
    taps = ops.reshape(ops.transpose(taps, (0, 2, 5, 1, 3, 4)), (2, 2, c, 4 * out))
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    z = ops.conv(x, taps, strides=1, padding="valid", data_format="channels_last")
    z = ops.reshape(z, (-1, h + 1, w + 1, 2, 2, out))
    rows = [ops.stack([z[:, a : a + h, b : b + w, a, b] for b in (0, 1)], axis=3) for a in (0, 1)]
    return ops.reshape(ops.stack(rows, axis=2), (-1, 2 * h, 2 * w, out))


def transposed_convolution(x, kernel):
    """The faster of the two forms on the current backend. Shapes as above."""
    form = transposed_convolution_phases if keras.config.backend() == "jax" else transposed_convolution_plain
    return form(x, kernel)


def convolution_plain(x, kernel, bias, strides=1, padding="same"):
    """Keras' own convolution, and its bias.

    Args:
        x: float tensor `(n, h, w, c)`.
        kernel: float tensor `(a, b, c, out)`.
        bias: float tensor `(out,)`, or None.
        strides: int, or two.
        padding: "same" or "valid".

    Returns:
        Float tensor `(n, h', w', out)`.
    """
    x = ops.conv(x, kernel, strides=strides, padding=padding, data_format="channels_last")
    return x if bias is None else ops.add(x, bias)


def convolution_torch(x, kernel, bias, strides=1, padding="same"):
    """The same without Keras' two copies of the picture: torch reads and writes channels last as they lie."""
    import torch

    strides = (strides, strides) if isinstance(strides, int) else tuple(strides)
    margins = [0, 0]
    if padding == "same":
        sizes = zip(x.shape[1:3], kernel.shape[:2], strides, strict=True)
        missing = [max((-(-n // stride) - 1) * stride + width - n, 0) for n, width, stride in sizes]
        margins = [pixels // 2 for pixels in missing]
        if any(pixels % 2 for pixels in missing):  # the odd one goes below and to the right
            x = torch.nn.functional.pad(x, (0, 0, 0, missing[1] % 2, 0, missing[0] % 2))
    y = torch.nn.functional.conv2d(torch.movedim(x, -1, 1), kernel_torch(kernel), bias, strides, margins)
    return torch.movedim(y, 1, -1)


def kernel_torch(kernel):
    """A kernel `(a, b, c, out)` in the order of torch, `(out, c, a, b)`.

    Where no gradient is asked for, a copy that lies in memory as torch wants it is kept until the kernel
    changes: turning all weights around at every look takes a sixth of the time of drawing four pictures.
    """
    import torch

    kernel = ops.convert_to_tensor(kernel)
    turned = torch.permute(kernel, (3, 2, 0, 1))
    kept_for_good = isinstance(kernel, torch.nn.Parameter) and not torch.compiler.is_compiling()
    if torch.is_grad_enabled() or not kept_for_good:  # an export looks at stand-ins without numbers
        return turned
    state, turned_kernels = (kernel.data_ptr(), kernel._version, kernel.dtype), _turned_kernels()
    kept, copy = turned_kernels.get(kernel, (None, None))
    if kept != state:
        copy = turned.detach().contiguous(memory_format=torch.channels_last)
        turned_kernels[kernel] = state, copy
    return copy


@functools.cache
def _turned_kernels():
    """Of each kernel its state and its turned copy, for as long as the kernel lives."""
    from torch.utils.weak import WeakTensorKeyDictionary

    return WeakTensorKeyDictionary()


def convolution(x, kernel, bias, strides=1, padding="same"):
    """The faster of the two forms on the current backend. Shapes as above."""
    form = convolution_torch if keras.config.backend() == "torch" else convolution_plain
    return form(x, kernel, bias, strides, padding)


def dot_product_attention(query, key, value, mask):
    """`keras.ops.dot_product_attention`, float `(n, l, heads, d)`; on a CPU, JAX has no product of float16
    matrices that sums in float32: there it is all done in float32."""
    if keras.config.backend() == "jax" and query.dtype == "float16":
        import jax

        if jax.default_backend() == "cpu":
            wide = (ops.cast(x, "float32") for x in (query, key, value))
            return ops.cast(ops.dot_product_attention(*wide, mask=mask), "float16")
    return ops.dot_product_attention(query, key, value, mask=mask)


def group_normalization_plain(x, scale, shift, groups, epsilon):
    """Group normalisation, then a scale and a shift of each channel, as one multiply-add.

    The sums of each channel give the statistics of its group; the picture itself is touched once more.

    Args:
        x: float tensor `(n, ..., channels)`.
        scale, shift: float32 tensors `(channels,)`, or `(n, channels)`: another for each picture.
        groups: int, divides the number of channels.
        epsilon: float, added to the variance.

    Returns:
        Float tensor like x. Statistics are float32 at any dtype.
    """
    channels, axes = x.shape[-1], tuple(range(1, len(x.shape) - 1))
    per_group = (-1, groups, channels // groups)
    count = math.prod(x.shape[1:-1]) * per_group[2]
    wide = ops.cast(x, "float32")
    mean = ops.sum(ops.reshape(ops.sum(wide, axes), per_group), -1, keepdims=True) / count
    square = ops.sum(ops.reshape(ops.sum(ops.square(wide), axes), per_group), -1, keepdims=True) / count
    inverse = ops.rsqrt(ops.maximum(square - ops.square(mean), 0.0) + epsilon)
    scale = ops.reshape(scale, per_group) * inverse
    shift = ops.reshape(shift, per_group) - mean * scale
    shape = (-1, *([1] * len(axes)), channels)
    scale, shift = (ops.cast(ops.reshape(v, shape), x.dtype) for v in (scale, shift))
    return x * scale + shift


def group_normalization_torch(x, scale, shift, groups, epsilon):
    """The same by torch's own kernel: uncompiled, each line of the plain form is a pass of its own."""
    import torch

    channels_first = torch.movedim(x, -1, 1)
    if len(scale.shape) == 1:
        scale, shift = scale.to(x.dtype), shift.to(x.dtype)
        y = torch.nn.functional.group_norm(channels_first, groups, scale, shift, epsilon)
        return torch.movedim(y, 1, -1)
    y = torch.movedim(torch.nn.functional.group_norm(channels_first, groups, eps=epsilon), 1, -1)
    shape = (-1, *([1] * (len(x.shape) - 2)), x.shape[-1])
    return torch.addcmul(shift.reshape(shape).to(x.dtype), y, scale.reshape(shape).to(x.dtype))


def group_normalization_closed(x, scale, shift, groups, epsilon):
    """The same with its gradient in closed form: derived line by line, it would keep a float32 copy of the
    picture for the way back and touch it three times as often. Not for torch."""
    channels, axes = x.shape[-1], tuple(range(1, len(x.shape) - 1))
    grouped, column = (-1, groups, channels // groups), (-1, *([1] * len(axes)), channels)
    count = float(math.prod(x.shape[1:-1]) * channels // groups)

    def per_picture(values):  # (channels,) or (n, channels) to (n or 1, groups, channels of a group)
        return ops.reshape(values, grouped)

    def sums(values):
        return per_picture(ops.sum(ops.cast(values, "float32"), axes))

    def over_group(values):
        return ops.sum(values, -1, keepdims=True) / count

    def spread(values):  # (n, groups, channels of a group, or 1) to one number for each channel of a picture
        return ops.cast(ops.reshape(values * ops.ones((1, *grouped[1:]), "float32"), column), x.dtype)

    @ops.custom_gradient
    def normalise(x, scale, shift):
        wide = ops.cast(x, "float32")
        mean = over_group(sums(wide))
        variance = ops.maximum(over_group(sums(ops.square(wide))) - ops.square(mean), 0.0)
        inverse = ops.rsqrt(variance + epsilon)
        factor = per_picture(scale) * inverse
        y = x * spread(factor) + spread(per_picture(shift) - mean * factor)

        def back(dy):
            of_shift = sums(dy)
            of_scale = inverse * (sums(ops.cast(dy, "float32") * ops.cast(x, "float32")) - mean * of_shift)
            along = over_group(per_picture(scale) * of_shift) * inverse
            across = over_group(per_picture(scale) * of_scale) * ops.square(inverse)
            dx = spread(factor) * dy - spread(across) * x + spread(across * mean - along)
            of_both = [ops.reshape(g, (-1, channels)) for g in (of_scale, of_shift)]
            if len(scale.shape) == 1:
                of_both = [ops.sum(g, 0) for g in of_both]
            return dx, *of_both

        return y, back

    return normalise(x, scale, shift)


def group_normalization(x, scale, shift, groups, epsilon):
    """The fastest of the forms on the current backend. Shapes as above."""
    on_torch = keras.config.backend() == "torch"
    form = group_normalization_torch if on_torch else group_normalization_closed
    return form(x, scale, shift, groups, epsilon)
