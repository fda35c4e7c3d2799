"""Runs and bundles compared: one report of tables, pictures and curves."""
