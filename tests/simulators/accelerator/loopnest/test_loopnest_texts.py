"""Timeloop's texts: read, printed, read again; what is wrong with one is said with the entry."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel
from designgym.simulators.accelerator.loopnest.architecture_text import architecture_text, read_architecture
from designgym.simulators.accelerator.loopnest.energy import TimeloopEnergies
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping
from designgym.simulators.accelerator.loopnest.mapping_text import mapping_text, read_mapping
from tests.simulators.accelerator.loopnest.random_mappings import architectures, mappings

ARCHITECTURE = """
architecture:
  version: 0.3
  subtree:
    - name: system
      local:
        - {name: DRAM, class: DRAM, attributes: {type: LPDDR4, width: 64, block-size: 4, word-bits: 16}}
      subtree:
        - name: chip
          attributes: {technology: 45nm}
          local:
            - name: glb
              class: smartbuffer_SRAM
              attributes: {memory_depth: 1024, memory_width: 64, n_banks: 32, block-size: 4, word-bits: 16, read_bandwidth: 16}
          subtree:
            - name: PE[0..5]
              local:
                - {name: spad, class: SRAM, attributes: {depth: 32, width: 16, write_bandwidth: 2, meshX: 3}}
                - {name: mac, class: intmac, attributes: {datawidth: 16, meshX: 3}}
"""
READ = Architecture(
    "system",
    (
        StorageLevel("spad", "SRAM", 32, 1, 16, write_bandwidth=2),
        StorageLevel("glb", "SRAM", 1024, 4, 16, read_bandwidth=16, banks=32),
        StorageLevel("DRAM", "DRAM", None, 4, 16),
    ),
    1,
    6,
    3,
)
MAPPING = """
mapping:
  - {target: spad, type: datatype, keep: [Weights], bypass: [Inputs, Outputs]}
  - {target: spad, type: temporal, factors: C2 M1 R3 S1 N1 P1 Q1, permutation: RCMSNPQ}
  - {target: glb, type: spatial, factors: C=1 M=2 S=3, permutation: NMSCRPQ, split: 2}
  - {target: glb, type: bypass, bypass: [Weights]}
  - {target: DRAM, type: temporal, factors: "C0, P5, Q4", permutation: QPC}
"""
LAYER = Layer("small", 2, 6, 3, 3, 5, 4)


def test_an_architecture_is_read() -> None:
    assert read_architecture(ARCHITECTURE) == READ


@settings(deadline=None)
@given(architectures())
def test_a_printed_architecture_is_read_as_it_was(architecture: Architecture) -> None:
    if architecture.pes > 1:  # the text of a single element does not say where the array lies
        assert read_architecture(architecture_text(architecture)) == architecture


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("depth: 32, width: 16", "entries: 32, width: 16"),
        ("memory_depth: 1024, memory_width: 64", "entries: 4096, memory_width: 64"),
        ("block-size: 4, word-bits: 16, read", "n_words: 4, word_width: 16, read"),
        ("datawidth: 16, meshX: 3", "meshY: 2"),
        ("class: DRAM, attributes: {", "class: storage, attributes: {technology: DRAM, "),
    ],
)
def test_other_words_for_the_same_architecture(written: str, instead: str) -> None:
    assert written in ARCHITECTURE and read_architecture(ARCHITECTURE.replace(written, instead)) == READ


def test_without_a_mesh_all_elements_are_in_one_row() -> None:
    assert read_architecture(ARCHITECTURE.replace(", meshX: 3", "")).mesh_x == 6


def test_operands_of_other_bits_cost_the_square() -> None:
    read = read_architecture(ARCHITECTURE.replace("datawidth: 16", "datawidth: 8"))
    assert TimeloopEnergies().mac_pj(read.mac_bits) == 0.25


def test_without_a_split_everything_lies_along_x() -> None:
    text = MAPPING.replace("permutation: NMSCRPQ, split: 2", "permutation: M")
    assert read_mapping(text, READ, LAYER).split == 6


def test_a_mapping_is_read() -> None:
    mapping = read_mapping(MAPPING, READ, LAYER)
    assert mapping.temporal[0].factors == (2, 1, 3, 1, 1, 1) and mapping.temporal[0].order == "RCMSPQ"
    assert mapping.spatial.factors == (1, 2, 1, 3, 1, 1) and mapping.spatial.order == "MSCRPQ"
    assert mapping.split == 1  # of the two leading entries, one is the batch
    assert mapping.temporal[2].factors == (3, 1, 1, 1, 5, 4) and mapping.temporal[2].order == "QPCMRS"
    assert [sorted(kept) for kept in mapping.keep] == [["Weights"], ["Inputs", "Outputs"], ["Inputs", "Outputs", "Weights"]]


@settings(deadline=None)
@given(mappings(levels=3))
def test_a_printed_mapping_is_read_as_it_was(drawn: tuple[LoopMapping, Layer]) -> None:
    mapping, layer = drawn
    assert read_mapping(mapping_text(mapping, READ), READ, layer) == mapping


BAD_MAPPINGS = {
    "no YAML": ("mapping: [", "the mapping is not YAML"),
    "no list": ("mapping: 5", "expected a list of entries under 'mapping', got 5"),
    "unknown target": (MAPPING.replace("spad, type: temporal", "pad, type: temporal"), r"entry 2 \(pad temporal\): .*'spad'"),
    "unknown type": (MAPPING.replace("type: spatial", "type: spacial"), r"entry 3 \(glb spacial\): unknown type 'spacial'"),
    "unknown tensor": (MAPPING.replace("keep: [Weights]", "keep: [Weight]"), r"entry 1 .*unknown tensor in keep 'Weight'.*'Weights'"),
    "kept and bypassed": (MAPPING.replace("bypass: [Inputs,", "bypass: [Weights,"), "entry 1 .*Weights is both kept and bypassed"),
    "bad factor": (MAPPING.replace("C=1", "C=x"), r"entry 3 .*factors must be a text such as"),
    "unknown dimension": (MAPPING.replace("C=1", "K=1"), r"entry 3 .*unknown dimension in factors 'K'"),
    "factor twice": (MAPPING.replace("C=1", "M=1"), r"entry 3 .*factor M is there twice"),
    "batch": (MAPPING.replace("N1", "N2"), r"entry 2 .*the batch, other than 1"),
    "permutation": (MAPPING.replace("QPC}", "QQC}"), r"entry 5 .*permutation must name dimensions"),
    "split": (MAPPING.replace("split: 2", "split: 9"), r"entry 3 .*split must be a whole number from 0 to 7, got 9"),
    "array elsewhere": (MAPPING.replace("glb, type: spatial", "DRAM, type: spatial"), r"entry 3 .*the only array lies below 'glb'"),
    "not the layer's": (MAPPING.replace("P5", "P4"), "of another layer: the factors of P multiply to 4, layer .small. has 5"),
    "nothing left": (MAPPING.replace("C2 ", "C4 "), "a factor of C is 0, but the others multiply to 4, which does not divide 6"),
    "DRAM bypassed": (MAPPING + "  - {target: DRAM, type: bypass, bypass: [Inputs]}", "the outermost level must keep"),
    "unknown key": (MAPPING.replace("split: 2", "no_link_transfer: [Inputs]"), "entry 3.*unknown key 'no_link_transfer'"),
    "twice": (MAPPING + "  - {target: DRAM, type: temporal}", r"entry 6 \(DRAM temporal\): a second entry of this kind"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_MAPPINGS)
def test_bad_mappings_are_refused_with_the_entry(name: str) -> None:
    text, message = BAD_MAPPINGS[name]
    with pytest.raises(InputError, match=message):
        read_mapping(text, READ, LAYER)


BAD_ARCHITECTURES = {
    "no YAML": ("architecture: [", "the architecture is not YAML"),
    "no tree": ("arch: {}", "expected a tree under 'architecture'"),
    "no multiplier": (ARCHITECTURE.replace("intmac", "SRAM"), "one class of multiplier, got 3|depth is missing|and 0"),
    "unknown attribute": (ARCHITECTURE.replace("n_banks", "multiple-buffering"), "glb: unknown attribute 'multiple-buffering'"),
    "unknown class": (ARCHITECTURE.replace("class: smartbuffer_SRAM", "class: cache"), "glb: unknown class 'cache'"),
    "no depth": (ARCHITECTURE.replace("memory_depth: 1024, ", ""), "glb: depth is missing"),
    "bad depth": (ARCHITECTURE.replace("depth: 32", "depth: 0"), "spad: depth must be a positive whole number, got 0"),
    "bad width": (ARCHITECTURE.replace("memory_width: 64", "memory_width: 40"), r"glb: a width of 40 bits is not 4 words"),
    "bad name": (ARCHITECTURE.replace("PE[0..5]", "PE[5..0]"), "an entry of chip has the name 'PE\\[5..0\\]'"),
    "several multipliers": (ARCHITECTURE.replace("name: mac,", 'name: "mac[0..1]",'), "mac: 12 multipliers below 6 of spad"),
    "two arrays": (ARCHITECTURE.replace("- name: glb", "- name: glb[0..1]"), "expected one array"),
    "two meshes": (ARCHITECTURE.replace("datawidth: 16, meshX: 3", "datawidth: 16, meshX: 2"), "different meshX"),
    "some meshes": (ARCHITECTURE.replace("datawidth: 16, meshX: 3", "datawidth: 16"), r"different meshX.*spad 3, mac 6"),
    "no rectangle": (ARCHITECTURE.replace("meshX: 3", "meshX: 3, meshY: 3"), r"3 columns .* and 3 rows .* are not 6"),
    "other case": (ARCHITECTURE.replace("meshX", "meshx"), "unknown attribute 'meshx'.*'meshX'"),
    "said twice": (ARCHITECTURE.replace("block-size: 4, word-bits: 16, read", "block-size: 4, n_words: 4, read"), "n_words says again"),
    "entries and depth": (ARCHITECTURE.replace("depth: 32,", "depth: 32, entries: 32,"), "spad: entries are the words of a level, got 32"),
    "not handed down": (ARCHITECTURE.replace("technology: 45nm", "word-bits: 8"), "chip: Timeloop does not hand word_bits"),
    "branches": (ARCHITECTURE.replace("- name: PE[0..5]", "- name: other\n            - name: PE[0..5]"), "chip: 2 branches under subtree"),
    "ragged": (ARCHITECTURE.replace("meshX: 3", "meshX: 4"), r"6 processing elements do not fill rows of 4"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ARCHITECTURES)
def test_bad_architectures_are_refused_with_the_entry(name: str) -> None:
    text, message = BAD_ARCHITECTURES[name]
    with pytest.raises(InputError, match=message):
        read_architecture(text)
