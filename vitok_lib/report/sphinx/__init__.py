"""The Sphinx extension: roles and directives that put records on pages."""
