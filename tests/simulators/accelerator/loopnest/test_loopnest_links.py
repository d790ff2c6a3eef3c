"""Link transfers, which no public row of Timeloop's exercises: cases small enough to count by hand."""

from __future__ import annotations

import math

from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.costs import Costs, evaluate
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping, Loops
from designgym.simulators.accelerator.loopnest.problem import DIMS, INPUTS, OUTPUTS, TENSORS, WEIGHTS
from tests.simulators.accelerator.loopnest import scalar_model
from tests.simulators.accelerator.loopnest.random_mappings import scalar_nest

PE, GLB, DRAM = 0, 1, 2
ALL = (frozenset(TENSORS),) * 3


def loops(order: str = DIMS, **factors: int) -> Loops:
    return Loops(tuple(factors.get(dim, 1) for dim in DIMS), order)


def architecture(pes: int, mesh_x: int) -> Architecture:
    levels = (StorageLevel("pe", "SRAM", 64), StorageLevel("glb", "SRAM", 4096), StorageLevel("DRAM", "DRAM"))
    return Architecture("array", levels, GLB, pes, mesh_x)


def costs(mapping: LoopMapping, layer: Layer, hardware: Architecture) -> Costs:
    result = evaluate(MappingBatch.of([mapping], layer), HardwareBatch.of(hardware))
    scalar = scalar_model.evaluate(scalar_nest(mapping, layer, hardware))
    assert result.reads[:, :, 0].tolist() == [[level.get(tensor, 0) for tensor in TENSORS] for level in scalar.reads]
    return result


def row_of_filters(mesh_x: int, taps: int = 4, outputs: int = 6) -> tuple[LoopMapping, Layer, Architecture]:
    """A filter of one row whose taps lie on neighbouring elements, and outputs one after the other: inputs shift by one element a step."""
    mapping = LoopMapping((loops(), loops(Q=outputs), loops()), loops("S" + "CMRPQ", S=taps), 1, ALL)
    return mapping, Layer("row", 1, 1, 1, taps, 1, outputs), architecture(taps, mesh_x)


def test_a_row_of_elements_hands_its_inputs_on() -> None:
    """Each of 4 elements wants 6 inputs. The buffer reads all 4 at first; then only the last element's, as the rest come from the right."""
    found = costs(*row_of_filters(mesh_x=4))
    assert found.reads[GLB, INPUTS, 0] == 4 + 5 * 1
    links = 5 * 3  # words that three of the four elements get from a neighbour in five steps
    assert found.reads[PE, INPUTS, 0] == 6 + math.floor(links / 4 + 0.5)  # an element reads what it hands over, on average
    assert found.fills[PE, INPUTS, 0] == (4 + 5 + links) // 4  # what it takes in from above and from neighbours, on average
    assert found.reads[GLB, WEIGHTS, 0] == 4 and found.updates[GLB, OUTPUTS, 0] == 6  # neither moves over links


def test_there_is_no_link_around_the_edge_of_the_array() -> None:
    """In two rows of two, the element at the end of the first row has its successor at the start of the second: no neighbour."""
    found = costs(*row_of_filters(mesh_x=2))
    assert found.reads[GLB, INPUTS, 0] == 4 + 5 * 2


def test_a_column_of_elements_hands_its_inputs_on_too() -> None:
    assert costs(*row_of_filters(mesh_x=1)).reads[GLB, INPUTS, 0] == 4 + 5


def test_steps_beyond_the_neighbours_use_no_link() -> None:
    """With a stride of 2 an element wants what the one after the next had."""
    mapping, layer, hardware = row_of_filters(mesh_x=4)
    strided = Layer("row", layer.k, layer.c, layer.r, layer.s, layer.p, layer.q, stride=2)
    assert costs(mapping, strided, hardware).reads[GLB, INPUTS, 0] == 4 * 6


def test_tiles_that_overlap_their_predecessor_use_no_link() -> None:
    """An element that keeps half of its tile takes the rest from above: only whole tiles are handed over."""
    mapping = LoopMapping((loops(S=2), loops(Q=6), loops()), loops(S=2), 4, ALL)
    found = costs(mapping, Layer("row", 1, 1, 1, 4, 1, 6), architecture(2, 2))
    assert found.reads[GLB, INPUTS, 0] == 2 * (2 + 5)
    assert found.fills[PE, INPUTS, 0] == 2 + 5


def test_groups_that_share_inputs_hand_them_on_together() -> None:
    """Two output channels beside four taps: the buffer serves both channels at once, with and without links."""
    mapping = LoopMapping((loops(), loops(Q=6), loops()), loops("SM" + "CRPQ", S=4, M=2), 1, ALL)
    found = costs(mapping, Layer("row", 2, 1, 1, 4, 1, 6), architecture(8, 4))
    assert found.reads[GLB, INPUTS, 0] == 4 + 5
    assert found.reads[PE, INPUTS, 0] == 6 + math.floor(5 * 6 / 8 + 0.5)
