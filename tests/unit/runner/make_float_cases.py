#!/usr/bin/env python3
"""Writes float_cases.h: floats and how Python prints them, for test_float_text.c."""
import pathlib
import random
import struct

rng = random.Random(1)
bits = [0, 1, 2, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF, 0x00800000, 0x007FFFFF]
bits += [exponent << 23 for exponent in range(1, 255, 3)]
bits += [struct.unpack("<I", struct.pack("<f", value))[0] for value in
         (1, -1, 0.1, 0.5, 1e-5, 1e-4, 123456.0, 9999999e9, 1e16, 1e15, 1e22, 0.43861907720565796, 12, 100, -0.25, 3.4e38)]
bits += [rng.getrandbits(32) for _ in range(150)]
bits += [struct.unpack("<I", struct.pack("<f", rng.uniform(-300, 300)))[0] for _ in range(50)]

lines = ["/* Made by make_float_cases.py: the bits of floats, and Python's str() of them as doubles. */",
         "static const struct {", "    uint32_t bits;", "    const char *text;", "} float_cases[] = {"]
for one in bits:
    value = struct.unpack("<f", struct.pack("<I", one))[0]
    lines.append(f'    {{ 0x{one:08x}, "{value}" }},')
lines.append("};")
(pathlib.Path(__file__).parent / "float_cases.h").write_text("\n".join(lines) + "\n")
