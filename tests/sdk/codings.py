"""Content codings from the standard library alone. Brotli and zstd are written as their stored,
uncompressed blocks, which every decoder must take."""

import gzip
import struct
import zlib


def brotli(data):
    out = bytearray()
    for start in range(0, len(data), 1 << 16):
        part = data[start : start + (1 << 16)]
        # One bit says the window size, before the first block only; then: not last, four nibbles
        # of length, stored.
        header, width = (len(part) - 1) << 3 | 1 << 19, 20
        if start == 0:
            header, width = header << 1, width + 1
        out += header.to_bytes((width + 7) // 8, "little") + part
    return bytes(out) + (b"\x03" if data else b"\x06")


def zstd(data):
    blocks = [data[start : start + (1 << 17)] for start in range(0, len(data), 1 << 17)] or [b""]
    out = bytearray(struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data)))
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        out += (len(block) << 3 | last).to_bytes(3, "little") + block
    return bytes(out)


ENCODE = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "br": brotli,
    "zstd": zstd,
}
