"""The ``vitok`` command."""
