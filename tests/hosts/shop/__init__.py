"""A Django project, as its users write it."""
