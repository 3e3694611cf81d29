"""Engines elsewhere: a server that speaks OpenAI's chat completions, over HTTP.

``address``
    where a server is, and whether that is this machine;
``gate``
    the only way for an image out of this program, and what it does to it;
``dialects``, ``body``
    what servers differ in, and what a question looks like on the wire;
``client``, ``events``, ``answer``
    the connection, the events of a stream, and the answer in them;
``form``, ``scoring``
    results bound to a schema, and how probable labels are;
``faults``
    whatever goes wrong there, in words with a remedy;
``engine``
    all of it behind the interface of every engine.
"""
