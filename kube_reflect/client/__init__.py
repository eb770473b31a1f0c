"""All that knows the official client and urllib3.

What a list function is, its kind and model, connections that can be cut, what differs between the
client's versions, and views, which are its models decoded level by level. It stands on the ground
(`kube_reflect._locks`, `._json`, `._object`) and the words; it imports no other room, and starts
no thread but for what cannot be interrupted. Begin with `list_function`.
"""
