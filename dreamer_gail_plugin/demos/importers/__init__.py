"""Importers: files of others become stores."""
