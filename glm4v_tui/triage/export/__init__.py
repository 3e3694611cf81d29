"""Verdicts on their way out: ``rows`` makes them, the other modules write them.

``tables`` writes JSON lines and CSV, ``records`` serves the exporters of plugins (COCO),
``sidecars`` writes XMP beside images with ``xmp``, ``folders`` sorts images into folders by label.
``one_each`` picks a row for each image where a format has one label an image; ``history`` tells
every event.
"""
