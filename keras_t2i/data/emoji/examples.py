"""`tf.train.Example`, which TensorFlow Datasets keeps examples as, read and written without TensorFlow.

It is a message of Protocol Buffers: fields of a number and a value, the value an integer of 7 bits a byte, or
bytes behind their length, which may be a message again.

    Example {1: Features}    Features {1: Entry, ...}    Entry {1: name, 2: Feature}
    Feature {1: {1: bytes, ...}} or {3: {1: integers, packed}}    (2 would be floats: emoji have none)
"""

INTEGER, BYTES = 0, 2  # kinds of values, the low 3 bits of a field's key
SIGN, ALL = 2**63, 2**64 - 1


def encode_example(features):
    """One example as bytes.

    Args:
        features: dict of str to an int, to bytes, or to a list of bytes.
    """
    entries = []
    for name, value in sorted(features.items()):
        if isinstance(value, int):
            feature = _field(3, _field(1, _varint(value)))
        else:
            values = value if isinstance(value, list) else [value]
            feature = _field(1, b"".join(_field(1, item) for item in values))
        entries.append(_field(1, _field(1, name.encode()) + _field(2, feature)))
    return _field(1, b"".join(entries))


def decode_example(content):
    """The features of an example: dict of str to a list of bytes or of int.

    Raises: ValueError where it is no example, or has a feature of floats.
    """
    try:
        features = {}
        for _, example in _fields(content):
            for _, entry in _fields(example):
                about = dict(_fields(entry))
                features[about[1].decode()] = _values(about.get(2, b""))
        return features
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise ValueError("a record is no tf.train.Example") from None


def _values(feature):
    values = []
    for kind, content in _fields(feature):
        if kind not in (1, 3):
            raise ValueError("a feature of a tf.train.Example is neither bytes nor integers")
        for _, value in _fields(content):
            if kind == 1 or isinstance(value, int):
                values.append(value)
                continue
            place = 0
            while place < len(value):
                number, place = _read_varint(value, place)
                values.append(number)
    return [v - 2**64 if isinstance(v, int) and v >= SIGN else v for v in values]


def _varint(number):
    number &= ALL  # two's complement
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _field(number, content):
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content


def _read_varint(content, place):
    """The integer at a place, and the place behind it."""
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def _fields(content):
    """Yields the number and the value, an int or bytes, of each field of a message."""
    place = 0
    while place < len(content):
        key, place = _read_varint(content, place)
        length, place = _read_varint(content, place)
        if key & 7 == INTEGER:
            yield key >> 3, length
            continue
        if key & 7 != BYTES or place + length > len(content):
            raise IndexError
        yield key >> 3, content[place : place + length]
        place += length
