"""What all stand on, and imports nothing else of the package.

`locks` that survive forks and interrupts, with deadlines (`frame_lock` is theirs from Python 3.14
on); `threads` and what is `forgotten`; an object on its way (`objects`) and the JSON parser
(`json_parser`, `fast`); whose fault an exception is (`foreign`), and how it is told (`describe`).
There is no door: all may import any of its modules.
"""
