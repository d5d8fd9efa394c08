"""The decision table, row by row: cases as data."""
