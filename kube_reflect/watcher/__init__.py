"""The state machine that turns pages and lines into events, and every failure into a value.

It may import wire/, the ground and the words. Forbidden here: threads, clocks, sleeps. Begin with
`watcher`: the machine, and what iterates it; `states` has what leads from one state to another,
and `failures` what a refusal means.
"""

from kube_reflect.watcher.failures import is_expired
from kube_reflect.watcher.watcher import Machine, Watcher

__all__ = ["Machine", "Watcher", "is_expired"]
