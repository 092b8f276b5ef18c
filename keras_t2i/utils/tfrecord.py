"""TFRecord files, as TensorBoard and TensorFlow Datasets have them, without TensorFlow.

A file is records one after the other: length (uint64), its check sum (uint32), bytes, their check sum. A
check sum is CRC-32C (Castagnoli), rotated and shifted, so that a record may hold records.
"""

import struct
from pathlib import Path

HEAD, CHECK = struct.Struct("<QI"), struct.Struct("<I")
POLYNOMIAL, ALL = 0x82F63B78, 2**32 - 1


def _crc_of_byte(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


TABLE = [_crc_of_byte(byte) for byte in range(256)]


def crc32c(content):
    """The CRC-32C of bytes (RFC 3720, appendix B.4), an int."""
    table, crc = TABLE, ALL
    for byte in content:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ ALL


def check_sum(content):
    """The check sum of bytes in a TFRecord file, an int."""
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & ALL


def frame_record(content):
    """A record, bytes, as it stands in a file: with its length and the check sums of both."""
    length = struct.pack("<Q", len(content))
    return b"".join((length, CHECK.pack(check_sum(length)), content, CHECK.pack(check_sum(content))))


def read_records(path):
    """Yields the records of a file, bytes.

    Raises: ValueError that names the file where a record is damaged or not whole.
    """
    damaged = f"{path} is damaged or was not written to its end"
    with Path(path).open("rb") as file:
        while head := file.read(HEAD.size):
            if len(head) < HEAD.size:
                raise ValueError(damaged)
            length, check = HEAD.unpack(head)
            if check_sum(head[:8]) != check:  # before a wrong length is asked for
                raise ValueError(damaged)
            content, check = file.read(length), file.read(CHECK.size)
            if len(check) < CHECK.size or check_sum(content) != CHECK.unpack(check)[0]:
                raise ValueError(damaged)
            yield content
