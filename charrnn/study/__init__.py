"""Measurements of the lab sheet's claims, their records, and the generated pages."""
