"""The stack machine that runs any strategy's rules over blocks of bars.

One instruction works on a whole block, so that its cost is the arithmetic and not
the reading of the instruction. Values are doubles; a condition is 1, 0 or
undefined (NaN), and ``and``, ``or``, ``not`` follow Kleene's three-valued logic
(1938). What the opcodes mean to the compiler is in ``engine.dsl.program``; what
is done with a decision, in ``kernels``.
"""

from __future__ import annotations

import math

from engine.arrays import Floats, Ints, Labels
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

BLOCK = 512
"""Bars of a block: a dozen values of the stack stay in the first-level cache."""

START, STOP, ACTION, ORDER = 0, 1, 2, 3
NONE = -1


@kernel
def arithmetic(opcode: int, a: Floats, b: Floats) -> None:
    """``a`` ← a ∘ b, undefined where it overflows or an operand is undefined."""
    if opcode == ADD:
        for i in range(a.shape[0]):
            value = a[i] + b[i]
            a[i] = value if abs(value) < math.inf else math.nan
    elif opcode == SUB:
        for i in range(a.shape[0]):
            value = a[i] - b[i]
            a[i] = value if abs(value) < math.inf else math.nan
    elif opcode == MUL:
        for i in range(a.shape[0]):
            value = a[i] * b[i]
            a[i] = value if abs(value) < math.inf else math.nan
    else:
        for i in range(a.shape[0]):
            value = a[i] / b[i] if b[i] != 0.0 else math.nan
            a[i] = value if abs(value) < math.inf else math.nan


@kernel
def compare(opcode: int, a: Floats, b: Floats) -> None:
    """``a`` ← 1 or 0, undefined where an operand is."""
    if opcode == LESS:
        for i in range(a.shape[0]):
            known = a[i] == a[i] and b[i] == b[i]
            a[i] = (1.0 if a[i] < b[i] else 0.0) if known else math.nan
    elif opcode == LESS_EQUAL:
        for i in range(a.shape[0]):
            known = a[i] == a[i] and b[i] == b[i]
            a[i] = (1.0 if a[i] <= b[i] else 0.0) if known else math.nan
    elif opcode == EQUAL:
        for i in range(a.shape[0]):
            known = a[i] == a[i] and b[i] == b[i]
            a[i] = (1.0 if a[i] == b[i] else 0.0) if known else math.nan
    else:
        for i in range(a.shape[0]):
            known = a[i] == a[i] and b[i] == b[i]
            a[i] = (1.0 if a[i] != b[i] else 0.0) if known else math.nan


@kernel
def junction(opcode: int, a: Floats, b: Floats) -> None:
    """``a`` ← a and b, or a or b, in three-valued logic."""
    decisive = 0.0 if opcode == AND else 1.0
    for i in range(a.shape[0]):
        decided = a[i] == decisive or b[i] == decisive
        a[i] = decisive if decided else a[i] + b[i] - (1.0 - decisive)


@kernel
def crossing(a: Floats, b: Floats) -> None:
    """``a`` ← 1 where a rises above b on this bar; index 0 is the bar before the block."""
    for i in range(a.shape[0] - 1, 0, -1):
        now, before = a[i] > b[i], a[i - 1] <= b[i - 1]
        denied = a[i] <= b[i] or a[i - 1] > b[i - 1]
        a[i] = 1.0 if now and before else (0.0 if denied else math.nan)


@kernel
def crossing_under(a: Floats, b: Floats) -> None:
    """``a`` ← 1 where a falls below b on this bar."""
    for i in range(a.shape[0] - 1, 0, -1):
        now, before = a[i] < b[i], a[i - 1] >= b[i - 1]
        denied = a[i] >= b[i] or a[i - 1] < b[i - 1]
        a[i] = 1.0 if now and before else (0.0 if denied else math.nan)


@kernel
def negate(a: Floats, one: float) -> None:
    """``a`` ← 1 − a, which is not a, or with 0 for `one` a ← −a."""
    for i in range(a.shape[0]):
        a[i] = one - a[i]


@kernel
def combine(opcode: int, a: Floats, b: Floats) -> None:
    """Any operation on two values: a ← a ∘ b."""
    if opcode <= DIV:
        arithmetic(opcode, a, b)
    elif opcode in (AND, OR):
        junction(opcode, a, b)
    elif opcode == CROSSOVER:
        crossing(a, b)
    elif opcode == CROSSUNDER:
        crossing_under(a, b)
    else:
        compare(opcode, a, b)


# Loops instead of slice assignments: numba would compile the text of their errors too, for seconds.


@kernel
def copy(source: Floats, a: Floats) -> None:
    """``a`` ← source."""
    for i in range(a.shape[0]):
        a[i] = source[i]


@kernel
def fill(a: Floats, value: float) -> None:
    """``a`` ← one value."""
    for i in range(a.shape[0]):
        a[i] = value


@kernel
def condition(
    code: Ints,
    first: int,
    last: int,
    constants: Floats,
    slots: Ints,
    table: Floats,
    start: int,
    width: int,
    is_first: bool,
    stack: Floats,
) -> None:
    """Run instructions ``first … last − 1``; ``stack[0]`` holds the condition.

    Parameters
    ----------
    slots : ndarray of int64
        Row of ``table`` for every column of the code.
    start, width : int
        First bar of the block, and its bars and one more: index 0 of a row of
        ``stack`` stands for the bar before the block.
    is_first : bool
        Whether there is no bar before the block: constants are undefined there, as columns are.
    """
    top = -1
    for k in range(first, last):
        opcode, operand = code[k, 0], code[k, 1]
        if opcode == PUSH_COLUMN:
            top += 1
            copy(table[slots[operand], start : start + width], stack[top, :width])
        elif opcode == PUSH_CONSTANT:
            top += 1
            fill(stack[top, :width], float(constants[operand]))
            if is_first:
                stack[top, 0] = math.nan
        elif opcode == NEG:
            negate(stack[top, :width], 0.0)
        elif opcode == NOT:
            negate(stack[top, :width], 1.0)
        else:
            combine(opcode, stack[top - 1, :width], stack[top, :width])
            top -= 1


@kernel
def merge(
    hit: Floats, rule: int, action: int, decided: Labels, actions: Labels, odd: Labels
) -> None:
    """Let a rule decide the bars that no earlier one has; mark those that differ."""
    for i in range(decided.shape[0]):
        if hit[i] != 1.0:
            continue
        if decided[i] == NONE:
            decided[i], actions[i] = rule, action
        elif actions[i] != action:
            odd[i] = 1


@kernel
def decide(
    code: Ints,
    rules: Ints,
    constants: Floats,
    slots: Ints,
    table: Floats,
    stack: Floats,
    marks: Labels,
    is_whole: bool,
    decided: Labels,
) -> int:
    """First true rule of every bar.

    Parameters
    ----------
    stack : ndarray, shape (MAX_STACK, BLOCK + 1), float64
        Scratch.
    marks : ndarray, shape (2, BLOCK), int8
        Scratch.
    is_whole : bool
        Whether the first bar is that of the data, which has none before it.
    decided : ndarray, shape (bars,), int8
        Filled with the rule that acts on each bar, −1 where none does or one holds.

    Returns
    -------
    int
        Number of bars on which a later rule is true too and acts otherwise.
    """
    bars = decided.shape[0]
    conflicts = 0
    for start in range(0, bars, BLOCK):
        size = min(BLOCK, bars - start)
        block, actions, odd = decided[start : start + size], marks[0, :size], marks[1, :size]
        for i in range(size):
            block[i], odd[i] = NONE, 0
        for k in range(rules.shape[0]):
            condition(
                code, rules[k, START], rules[k, STOP], constants, slots, table, start, size + 1,
                is_whole and start == 0, stack,
            )  # fmt: skip
            merge(stack[0, 1 : size + 1], k, rules[k, ACTION], block, actions, odd)
        for i in range(size):
            conflicts += 1 if odd[i] != 0 else 0
            block[i] = NONE if actions[i] == 0 else block[i]
    return conflicts
