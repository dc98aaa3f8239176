"""Measure the lab sheet's claims, keep the records, and write the pages made from them."""
