"""What all stand on, and imports nothing of the package: each module is a thing by itself.

`locks` that survive forks and interrupts, with deadlines; `threads` and what is `forgotten`; an
object on its way (`objects`) and the JSON parser (`json_parser`, `fast`); whose fault an exception
is (`foreign`), and how it is told (`describe`). All may import any of it.
"""
