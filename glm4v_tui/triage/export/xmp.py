"""An XMP packet with a verdict in it, or a verdict put into a packet of another program.

Written are ``xmp:Rating`` (-1 rejected, 0 to 5), ``xmpDM:pick`` (-1, 0, 1) and a keyword in
``dc:subject`` (XMP Specification, parts 1 and 2; ISO 16684-1). What this program has written is
noted beside it under a name of its own, so that it can be told from what others wrote: that is
never changed.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpDM": "http://ns.adobe.com/xmp/1.0/DynamicMedia/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "glm4vtui": "urn:glm4v-tui:verdict:1",
}
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>\n'
_MAX_BYTES = 1 << 24


class Wanted(msgspec.Struct, frozen=True):
    """What a sidecar is to say."""

    keyword: str | None = None
    """``TASK:LABEL``; None for no keyword."""
    rating: int | None = None
    pick: int | None = None


class RefusedError(ValueError):
    """A packet that is left as it is; the text says why."""


def _name(prefix: str, local: str) -> str:
    return f"{{{_SPACES[prefix]}}}{local}"


_RATING, _PICK = _name("xmp", "Rating"), _name("xmpDM", "pick")
_OWN = {
    _RATING: _name("glm4vtui", "rating"),
    _PICK: _name("glm4vtui", "pick"),
}
_OWN_KEYWORD = _name("glm4vtui", "keyword")
_DESCRIPTION, _BAG, _ITEM = (_name("rdf", name) for name in ("Description", "Bag", "li"))


def with_verdict(packet: bytes | None, wanted: Wanted) -> bytes:
    """The packet with what is wanted in it, and without what this program wrote there before.

    Args:
        packet: What is there now; None for nothing.

    Raises:
        RefusedError: it cannot be read as XMP, or another program says otherwise.
    """
    root = _new() if packet is None else _parsed(packet)
    before = ET.tostring(root)
    rdf = root if root.tag == _name("rdf", "RDF") else root.find(_name("rdf", "RDF"))
    if rdf is None:
        raise RefusedError("it holds no RDF")
    if wanted != Wanted() and rdf.find(_DESCRIPTION) is None:
        ET.SubElement(rdf, _DESCRIPTION, {_name("rdf", "about"): ""})
    _set_number(rdf, _RATING, wanted.rating)
    _set_number(rdf, _PICK, wanted.pick)
    _set_keyword(rdf, wanted.keyword)
    if packet is not None and ET.tostring(root) == before:
        return packet
    return (_BEGIN + ET.tostring(root, encoding="unicode") + _END).encode()


def _new() -> ET.Element:
    root = ET.Element(_name("x", "xmpmeta"))
    ET.SubElement(root, _name("rdf", "RDF"))
    for prefix, space in _SPACES.items():
        ET.register_namespace(prefix, space)
    return root


def _parsed(packet: bytes) -> ET.Element:
    """The tree of a packet, its comments and its names for name spaces kept."""
    if len(packet) > _MAX_BYTES:
        raise RefusedError("it is larger than 16 MiB")
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        raise RefusedError("it declares a document type, which XMP never does")
    try:
        for _, (prefix, space) in ET.iterparse(io.BytesIO(packet), ["start-ns"]):
            if prefix and not re.fullmatch(r"ns\d+", prefix):
                ET.register_namespace(prefix, space)
        for prefix, space in _SPACES.items():
            ET.register_namespace(prefix, space)
        builder = ET.TreeBuilder(insert_comments=True, insert_pis=True)
        root = ET.fromstring(packet, ET.XMLParser(target=builder))
    except (ET.ParseError, ValueError, LookupError) as error:
        raise RefusedError(f"it is no XML ({error})") from error
    if root.tag not in (_name("x", "xmpmeta"), _name("rdf", "RDF")):
        raise RefusedError("it is XML, but no XMP")
    return root


# Numbers ----------------------------------------------------------------------------------------


def _set_number(rdf: ET.Element, name: str, value: int | None) -> None:
    """Set a property that this program has set before, or that nobody has."""
    there, own = _value(rdf, name), _value(rdf, _OWN[name])
    _remove(rdf, _OWN[name])
    if there is not None and there != own:
        if value is not None and there != str(value):
            raise RefusedError(f"it says {name.rpartition('}')[2]} {there}, not {value}")
        return
    _remove(rdf, name)
    if value is not None:
        _put(rdf, name, str(value))
        _put(rdf, _OWN[name], str(value))


def _descriptions(rdf: ET.Element) -> Iterator[ET.Element]:
    yield from rdf.iterfind(_DESCRIPTION)


def _value(rdf: ET.Element, name: str) -> str | None:
    """Of a simple property, as attribute or element."""
    for description in _descriptions(rdf):
        if name in description.attrib:
            return description.attrib[name].strip()
        if (element := description.find(name)) is not None:
            return (element.text or "").strip()
    return None


def _remove(rdf: ET.Element, name: str) -> None:
    for description in _descriptions(rdf):
        description.attrib.pop(name, None)
        for element in description.findall(name):
            description.remove(element)


def _put(rdf: ET.Element, name: str, value: str) -> None:
    next(_descriptions(rdf)).set(name, value)


# Keywords ---------------------------------------------------------------------------------------


def _set_keyword(rdf: ET.Element, keyword: str | None) -> None:
    """Put the keyword among the others in place of the one that this program wrote before."""
    own = _value(rdf, _OWN_KEYWORD)
    subject = _name("dc", "subject")
    bags = [bag for one in _descriptions(rdf) for bag in one.iterfind(f"{subject}/{_BAG}")]
    for bag in bags:
        for item in [one for one in bag.iterfind(_ITEM) if own and one.text == own]:
            bag.remove(item)
    _remove(rdf, _OWN_KEYWORD)
    if keyword is None:
        _drop_empty(rdf, subject)
        return
    if not bags:
        if _is_there(rdf, subject):
            raise RefusedError("its dc:subject is no bag of keywords")
        element = ET.SubElement(next(_descriptions(rdf)), subject)
        bags = [ET.SubElement(element, _BAG)]
    if any(item.text == keyword for bag in bags for item in bag.iterfind(_ITEM)):
        return  # another program's
    ET.SubElement(bags[0], _ITEM).text = keyword
    _put(rdf, _OWN_KEYWORD, keyword)


def _is_there(rdf: ET.Element, name: str) -> bool:
    return any(one.find(name) is not None or name in one.attrib for one in _descriptions(rdf))


def _drop_empty(rdf: ET.Element, subject: str) -> None:
    for description in _descriptions(rdf):
        for element in description.findall(subject):
            bag = element.find(_BAG)
            if bag is not None and len(bag) == 0:
                description.remove(element)
