"""The official SharedInformer and kube_reflect side by side: ``python -m tests.bench``."""
