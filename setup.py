"""All settings are in setup.cfg, but for one that cannot be said there.

pytest imports its plugins at each start, and with a module all packages around it; so the plugin
is installed under a name of its own, too.
"""

import setuptools

PLUGIN = "kube_reflect_pytest"

setuptools.setup(
    packages=[*setuptools.find_packages(include=["kube_reflect", "kube_reflect.*"]), PLUGIN],
    package_dir={PLUGIN: "kube_reflect/testing/plugin"},
)
