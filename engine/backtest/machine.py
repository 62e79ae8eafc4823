"""The stack machine that runs any strategy's conditions on one bar.

Values are doubles; a condition is 1, 0 or undefined (NaN), and ``and``, ``or``,
``not`` follow Kleene's three-valued logic (1938). What the opcodes mean to the
compiler is in ``engine.dsl.program``.
"""

from __future__ import annotations

import math

from engine.arrays import Floats, Ints
from engine.dsl.program import (
    ADD,
    AND,
    CROSSOVER,
    CROSSUNDER,
    DIV,
    EQUAL,
    LESS,
    LESS_EQUAL,
    MUL,
    NEG,
    NOT,
    OR,
    PUSH_COLUMN,
    PUSH_CONSTANT,
    SUB,
)
from engine.jit import kernel

_LOW = 0xFFFFFFFF


@kernel
def compare(opcode: int, a: float, b: float) -> float:
    """Comparison as 1, 0 or undefined."""
    if math.isnan(a) or math.isnan(b):
        return math.nan
    if opcode == LESS:
        return 1.0 if a < b else 0.0
    if opcode == LESS_EQUAL:
        return 1.0 if a <= b else 0.0
    if opcode == EQUAL:
        return 1.0 if a == b else 0.0
    return 1.0 if a != b else 0.0


@kernel
def finite(value: float) -> float:
    """The value, or undefined where it overflows: as in an indicator column."""
    return value if math.isfinite(value) else math.nan


@kernel
def combine(opcode: int, a: float, b: float) -> float:  # noqa: PLR0911 - one per opcode
    """Arithmetic or logic on two values; an undefined number stays undefined."""
    if opcode == ADD:
        return finite(a + b)
    if opcode == SUB:
        return finite(a - b)
    if opcode == MUL:
        return finite(a * b)
    if opcode == DIV:
        return finite(a / b) if b != 0.0 else math.nan
    if opcode == AND:
        if a == 0.0 or b == 0.0:
            return 0.0
        return 1.0 if a == 1.0 and b == 1.0 else math.nan
    if opcode == OR:
        if a == 1.0 or b == 1.0:
            return 1.0
        return 0.0 if a == 0.0 and b == 0.0 else math.nan
    return compare(opcode, a, b)


@kernel
def crosses(columns: Floats, left: int, right: int, bar: int) -> float:
    """1 if column `left` rises above column `right` on this bar, else 0 or undefined."""
    now = compare(LESS, columns[right, bar], columns[left, bar])
    before = math.nan
    if bar > 0:
        before = compare(LESS_EQUAL, columns[left, bar - 1], columns[right, bar - 1])
    return combine(AND, now, before)


@kernel
def condition(
    code: Ints, constants: Floats, columns: Floats, start: int, stop: int, bar: int, stack: Floats
) -> float:
    """Run the instructions ``start … stop − 1`` on one bar."""
    top = -1
    for k in range(start, stop):
        opcode, operand = code[k, 0], code[k, 1]
        if opcode == PUSH_CONSTANT:
            top += 1
            stack[top] = constants[operand]
        elif opcode == PUSH_COLUMN:
            top += 1
            stack[top] = columns[operand, bar]
        elif opcode == CROSSOVER:
            top += 1
            stack[top] = crosses(columns, operand >> 32, operand & _LOW, bar)
        elif opcode == CROSSUNDER:
            top += 1
            stack[top] = crosses(columns, operand & _LOW, operand >> 32, bar)
        elif opcode == NEG:
            stack[top] = -stack[top]
        elif opcode == NOT:
            stack[top] = 1.0 - stack[top]
        else:
            stack[top - 1] = combine(opcode, stack[top - 1], stack[top])
            top -= 1
    return stack[0]
