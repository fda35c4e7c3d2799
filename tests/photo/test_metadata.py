"""XMP packets and Photoshop's resource blocks, read back by other parsers; damaged ones."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_pictures import XMP
from tinct.photo import metadata
from tinct.photo.metadata import Note, XmpError, revise_xmp

NOTE = Note(software="tinct 1.2.3", model="photo <&>")
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def description(packet: bytes | None) -> ET.Element:
    assert packet is not None
    node = ET.fromstring(packet).find(f"{RDF}RDF/{RDF}Description")
    assert node is not None
    return node


def value(node: ET.Element, name: str) -> str | None:
    return node.get(name, node.findtext(name))


def test_a_packet_keeps_what_is_true() -> None:
    packet = revise_xmp(XMP, note=NOTE)
    node = description(packet)
    assert value(node, "{http://ns.adobe.com/tiff/1.0/}Orientation") == "1"
    assert value(node, "{http://ns.adobe.com/xap/1.0/}CreatorTool") == str(NOTE)
    assert value(node, "{http://example.org/my/}number") == "7"
    assert value(node, "{http://ns.adobe.com/xap/1.0/}Thumbnails") is None
    title = node.find(f"{{http://purl.org/dc/elements/1.1/}}title/{RDF}Alt/{RDF}li")
    assert title is not None
    assert title.text == "Market & square"
    assert title.get("{http://www.w3.org/XML/1998/namespace}lang") == "x-default"
    source = value(node, "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert source == "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
    assert packet is not None
    assert b"xmlns:my=" in packet  # prefixes stay
    assert packet.startswith(b"<?xpacket begin=")
    assert revise_xmp(packet, note=NOTE) == packet  # once is as good as twice


def test_a_new_packet() -> None:
    node = description(revise_xmp(None, note=NOTE))
    assert value(node, "{http://ns.adobe.com/xap/1.0/}CreatorTool") == str(NOTE)
    assert revise_xmp(None, note=None) is None


def test_packets_of_other_shapes() -> None:
    rdf = XMP[XMP.index(b"<rdf:RDF") : XMP.index(b"</x:xmpmeta>")]
    assert str(NOTE).encode().replace(b"<&>", b"&lt;&amp;&gt;") in (
        revise_xmp(rdf, note=NOTE) or b""
    )
    assert b"number" in (
        revise_xmp(XMP.decode().encode("utf-16")[0:0] or XMP + b"\0\0 \n", note=NOTE) or b""
    )
    empty = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
    assert description(revise_xmp(empty, note=NOTE)).get(f"{RDF}about") == ""
    clash = XMP.replace(b"xmlns:my", b"xmlns:exif").replace(b"my:number", b"exif:number")
    assert value(description(revise_xmp(clash, note=None)), "{http://example.org/my/}number") == "7"


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no xml",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><open>",
        b"<unbound:a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    ],
)
def test_damaged_packets(packet: bytes) -> None:
    with pytest.raises(XmpError):
        revise_xmp(packet, note=NOTE)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(XMP) - 1), st.integers(0, 255)), max_size=4))
def test_mutated_packets_never_surprise(changes: list[tuple[int, int]]) -> None:
    packet = bytearray(XMP)
    for place, byte in changes:
        packet[place] = byte
    try:
        new = revise_xmp(bytes(packet), note=NOTE)
    except XmpError:
        return
    assert new is not None
    assert str(NOTE) in "".join(ET.fromstring(new).itertext())


def block(number: int, data: bytes) -> bytes:
    head = b"8BIM" + number.to_bytes(2, "big") + b"\0\0" + len(data).to_bytes(4, "big")
    return head + data + b"\0" * (len(data) % 2)


def test_resource_blocks() -> None:
    record = b"\x1c\x02\x05\0\1x!"
    before = (
        block(0x0404, record) + block(0x0409, b"old") + block(0x040C, b"older") + block(7, b"odd")
    )
    after = metadata.revise_resources(before)
    assert after == block(0x0404, record) + block(7, b"odd")
    assert after is not None
    assert metadata.iptc_of(after) == record
    assert metadata.resources_of(record) == block(0x0404, record)
    assert metadata.revise_resources(before[:-3]) == block(0x0404, record)
    assert metadata.revise_resources(None) is None
    assert metadata.revise_resources(b"nonsense") is None
    assert metadata.iptc_of(b"") is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_resource_blocks_of_noise(noise: bytes) -> None:
    for resources in (b"8BIM" + noise, block(1, b"ab") + noise):
        revised = metadata.revise_resources(resources)
        assert revised is None or revised.startswith(b"8BIM")
